import { join } from 'node:path'
import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import { Redis } from '@upstash/redis/cloudflare'
import { databaseKeys, type KeyName, signerOf } from '../../scripts/stack/database-keys.ts'
import type { Listening } from '../../scripts/stack/http.ts'
import { startMemoryRedis } from '../../scripts/stack/memory-redis.ts'
import { type RedisStore, startRedisServer } from '../../scripts/stack/redis-server.ts'
import { type EmbeddedSupabase, startSupabase } from '../../scripts/stack/supabase.ts'
import { startUpstash } from '../../scripts/stack/upstash.ts'
import { redisServerPresent } from './require.ts'

export const ROOT = join(import.meta.dirname, '../..')
export const TOKEN = 't'.repeat(43)
export const OPERATOR_TOKEN = 'o'.repeat(43)
export const KEYS = {
  secretKey: `sb_secret_${'s'.repeat(32)}`,
  publishableKey: `sb_publishable_${'p'.repeat(32)}`,
  jwtSecret: 'j'.repeat(43),
}

/** A Supabase, as far as tests of the database ask of it. */
export type TestDatabase = Pick<EmbeddedSupabase, 'url' | 'secretKey' | 'publishableKey' | 'sql' | 'close'>

export const startTestSupabase = (): Promise<EmbeddedSupabase> =>
  startSupabase({
    dataDir: 'memory://',
    migrationsDir: join(ROOT, 'supabase/migrations'),
    port: 0,
    ...KEYS,
  })

/** What each worker gets as its secret, signed as `startTestSupabase` believes it. */
export const workerKeys = (publishableKey: string): Record<KeyName, string> =>
  databaseKeys(publishableKey, signerOf(KEYS.jwtSecret), { nowMs: Date.now(), days: 1 })

export interface TestRedis extends Listening {
  readonly store: RedisStore
  readonly token: string
}

/** Upstash's protocol over a real redis-server where there is one. */
export async function startTestRedis(real = redisServerPresent): Promise<TestRedis> {
  const store = real ? await startRedisServer(undefined) : startMemoryRedis()
  const upstash = await startUpstash({ port: 0, token: TOKEN, store })
  return {
    ...upstash,
    store,
    token: TOKEN,
    close: async () => {
      await upstash.close()
      await store.close()
    },
  }
}

export const redisClient = (url: string): Redis =>
  new Redis({
    url,
    token: TOKEN,
    automaticDeserialization: false,
    enableTelemetry: false,
    retry: { retries: 0 },
  })

export const supabaseClient = ({
  url,
  secretKey,
}: Pick<EmbeddedSupabase, 'url' | 'secretKey'>): SupabaseClient =>
  createClient(url, secretKey, { auth: { persistSession: false, autoRefreshToken: false } })
