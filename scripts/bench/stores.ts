import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { startMemoryRedis } from '../stack/memory-redis.ts'
import { type RedisStore, redisServerPresent, startRedisServer } from '../stack/redis-server.ts'
import { startUpstash } from '../stack/upstash.ts'
import { startDatabase } from './database.ts'
import { startKvService } from './kv-service.ts'
import type { Note } from './list-prices.ts'
import { startQueueService } from './queue-service.ts'
import type { Running } from './running.ts'

/** The stores that a gateway in production has, on loopback. */
export interface Stores {
  readonly kvPort: number
  readonly queuePort: number
  /** The gateway's variables and secrets for them. */
  readonly texts: Readonly<Record<string, string>>
  readonly operatorToken: string
  /** What stands behind Upstash's protocol. */
  readonly redis: string
}

const secret = () => randomBytes(32).toString('base64url')

/**
 * Starts them all, empty but for the keys of the load. None keeps anything.
 * @param note told of everything that Cloudflare or Upstash would charge for
 */
export async function startStores(root: string, running: Running, note: Note = () => {}): Promise<Stores> {
  const [pepper, token, operatorToken] = [secret(), secret(), secret()]
  const secretKey = `sb_secret_${secret()}`
  const startRedis = async () => {
    const store = await running.own(() =>
      redisServerPresent() ? startRedisServer(undefined) : startMemoryRedis(),
    )
    const noted: RedisStore = {
      ...store,
      send: (command) => {
        note('Redis command')
        return store.send(command)
      },
    }
    return { store, upstash: await running.own(() => startUpstash({ port: 0, token, store: noted })) }
  }
  const migrationsDir = join(root, 'supabase/migrations')
  const [kv, queue, { store, upstash }, database] = await Promise.all([
    running.own(() => startKvService(Date.now, note)),
    running.own(() => startQueueService(note)),
    startRedis(),
    running.own(() => startDatabase({ migrationsDir, secretKey, pepper })),
  ])
  return {
    kvPort: kv.port,
    queuePort: queue.port,
    operatorToken,
    redis: store.description,
    texts: {
      ROOT_KEY: secret(),
      KEY_PEPPER: pepper,
      OPERATOR_TOKEN: operatorToken,
      SUPABASE_URL: database.url,
      SUPABASE_SECRET_KEY: secretKey,
      UPSTASH_REDIS_REST_URL: upstash.url,
      UPSTASH_REDIS_REST_TOKEN: token,
    },
  }
}
