import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import { signerOf } from '../../scripts/stack/database-keys.ts'
import type { EmbeddedSupabase } from '../../scripts/stack/supabase.ts'
import { KEYS } from '../support/stores.ts'

/** A token (HS256) as whoever has the project's signing key makes it. */
export const tokenOf = (claims: Readonly<Record<string, unknown>>, secret = KEYS.jwtSecret): string =>
  signerOf(secret)({ exp: Math.floor(Date.now() / 1_000) + 600, ...claims })

/** Supabase as someone with these claims sees it; without claims, as anyone on the internet does. */
export const clientOf = (
  supabase: Pick<EmbeddedSupabase, 'url' | 'publishableKey'>,
  claims?: Readonly<Record<string, unknown>>,
): SupabaseClient =>
  createClient(supabase.url, supabase.publishableKey, {
    auth: { persistSession: false, autoRefreshToken: false },
    ...(claims && { accessToken: async () => tokenOf(claims) }),
  })

export const member = (tenantId: string) => ({
  role: 'authenticated',
  sub: '0c000000-0000-4000-8000-00000000000c',
  tenant_id: tenantId,
})
export const RECORDER = { role: 'beast_recorder' }
export const KEEPER = { role: 'beast_keeper' }
export const READER = { role: 'beast_reader' }
