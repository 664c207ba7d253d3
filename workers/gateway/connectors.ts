import type { SupabaseClient } from '@supabase/supabase-js'
import { Redis } from '@upstash/redis/cloudflare'
import type { KvStore } from '../../src/core/kv.ts'
import type { Pools } from '../../src/metrics/pools.ts'
import { supabaseConnector } from '../supabase.ts'
import { type Env, requireSecret } from './env.ts'

/** Longest wait of a call that a request may wait for. */
const STORE_TIMEOUT_MS = 2_000

/** Supabase with all rights. */
export function serviceConnector(
  env: Env,
  { pools, timeoutMs = STORE_TIMEOUT_MS }: { pools?: Pools; timeoutMs?: number } = {},
): () => SupabaseClient {
  const keyName = 'SUPABASE_SECRET_KEY'
  return supabaseConnector({
    url: requireSecret(env, 'SUPABASE_URL'),
    key: requireSecret(env, keyName),
    keyName,
    timeoutMs,
    ...(pools && { held: (call) => pools.hold('supabase', call) }),
  })
}

/** Supabase as whoever looks up cached answers, and may do nothing else. */
export function readerConnector(env: Env, pools: Pools): () => SupabaseClient {
  const { SUPABASE_READER_KEY: key } = env
  if (!key) return serviceConnector(env, { pools })
  const url = requireSecret(env, 'SUPABASE_URL')
  return supabaseConnector({
    url,
    key,
    keyName: 'SUPABASE_READER_KEY',
    timeoutMs: STORE_TIMEOUT_MS,
    held: (call) => pools.hold('supabase', call),
  })
}

/** The same store, its calls counted while they wait. */
export const pooledKv = (kv: KvStore, pools: Pools): KvStore => ({
  get: (key, type) => pools.hold('kv', kv.get(key, type)),
  put: (key, value, options) => pools.hold('kv', kv.put(key, value, options)),
  delete: (key) => pools.hold('kv', kv.delete(key)),
})

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
