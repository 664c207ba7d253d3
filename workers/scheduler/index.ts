import { createClient } from '@supabase/supabase-js'

interface Env {
  readonly SUPABASE_URL: string
  readonly SUPABASE_SECRET_KEY: string
  /** The most answers that one tenant keeps in Postgres. */
  readonly CACHE_MAX_ENTRIES_PER_TENANT?: string
}

const DEFAULT_MAX_ENTRIES = 100_000

export default {
  /** Keeps `llm_cache` within its bounds: what has expired, and each tenant's surplus, goes. */
  async scheduled(_controller, env) {
    const supabase = createClient(env.SUPABASE_URL, env.SUPABASE_SECRET_KEY, {
      auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    })
    const maxEntries = Number(env.CACHE_MAX_ENTRIES_PER_TENANT) || DEFAULT_MAX_ENTRIES
    const { data } = await supabase.rpc('prune_llm_cache', { max_entries: maxEntries }).throwOnError()
    console.log(JSON.stringify({ level: 'info', message: 'pruned llm_cache', removed: data }))
  },
} satisfies ExportedHandler<Env>
