import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import { Redis } from '@upstash/redis/cloudflare'
import { type Env, requireSecret } from './env.ts'

/** Longest wait of a call that a request may wait for. */
const STORE_TIMEOUT_MS = 2_000

/** A client a call: nothing of one request's connection state reaches another. */
export function supabaseConnector(env: Env, timeoutMs = STORE_TIMEOUT_MS): () => SupabaseClient {
  const url = requireSecret(env, 'SUPABASE_URL')
  const key = requireSecret(env, 'SUPABASE_SECRET_KEY')
  return () =>
    createClient(url, key, {
      auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
      // A repeated call would outlive every deadline here; who asks decides what a failure means.
      db: { retry: false },
      global: {
        fetch: (input, init) => fetch(input, { ...init, signal: AbortSignal.timeout(timeoutMs) }),
      },
    })
}

/** @returns a client a call, which throws where Redis is not configured */
export function redisConnector(env: Env): () => Redis {
  const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = env
  return () => {
    // Without Redis the gateway runs on its other tiers, and says so at /readyz.
    if (!url || !token) throw new Error('Redis is not configured')
    return new Redis({
      url,
      token,
      automaticDeserialization: false,
      enableTelemetry: false,
      retry: { retries: 0 },
      // As a function: an instance would turn a time-out into an answer of null, a false miss.
      signal: () => AbortSignal.timeout(STORE_TIMEOUT_MS),
    })
  }
}
