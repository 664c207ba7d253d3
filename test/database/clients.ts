import { createHmac } from 'node:crypto'
import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import type { EmbeddedSupabase } from '../../scripts/stack/supabase.ts'

/** As `startTestSupabase` sets it. */
const JWT_SECRET = 'j'.repeat(43)

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A token (HS256) as whoever has the project's signing key makes it. */
export function tokenOf(claims: Readonly<Record<string, unknown>>, secret = JWT_SECRET): string {
  const signed = `${base64url({ alg: 'HS256', typ: 'JWT' })}.${base64url({ exp: Math.floor(Date.now() / 1_000) + 600, ...claims })}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}

/** Supabase as someone with these claims sees it; without claims, as anyone on the internet does. */
export const clientOf = (
  supabase: EmbeddedSupabase,
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
export const READER = { role: 'beast_reader' }
