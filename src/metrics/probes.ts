/** What the last probe of each thing that requests need came to, by the target's name in `probe_success`. */
export type Probes = Readonly<Partial<Record<'gateway' | 'kv' | 'redis' | 'supabase' | 'upstream', 0 | 1>>>
