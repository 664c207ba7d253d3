import type { RedisStore } from './redis-server.ts'
import { RedisError, type Reply } from './resp.ts'

interface Held {
  readonly value: string
  readonly untilMs: number
}

/** The few commands that the gateway uses, for a laptop without redis-server. Forgets all when it ends. */
export function startMemoryRedis(now: () => number = Date.now): RedisStore {
  const held = new Map<string, Held>()
  const live = (key: string): Held | undefined => {
    const item = held.get(key)
    if (item && item.untilMs <= now()) held.delete(key)
    return held.get(key)
  }
  const commands: Record<string, (args: readonly string[]) => Reply> = {
    PING: () => 'PONG',
    GET: ([key = '']) => live(key)?.value ?? null,
    SET: (args) => set(args, live, held, now),
    DEL: (keys) => keys.filter((key) => live(key) && held.delete(key)).length,
    STRLEN: ([key = '']) => Buffer.byteLength(live(key)?.value ?? ''),
    EXISTS: (keys) => keys.filter((key) => live(key)).length,
    PTTL: ([key = '']) => {
      const item = live(key)
      if (!item) return -2
      return item.untilMs === Number.POSITIVE_INFINITY ? -1 : item.untilMs - now()
    },
    KEYS: () => [...held.keys()].filter(live),
    FLUSHDB: () => {
      held.clear()
      return 'OK'
    },
  }
  return {
    description: 'in memory (redis-server is not installed)',
    send: async ([name = '', ...args]) => {
      const command = commands[name.toUpperCase()]
      return command ? command(args) : new RedisError(`ERR unknown command '${name}'`)
    },
    close: async () => held.clear(),
  }
}

/** SET key value [PX ms | EX s] [NX] */
function set(
  [key, value, ...options]: readonly string[],
  live: (key: string) => Held | undefined,
  held: Map<string, Held>,
  now: () => number,
): Reply {
  if (key === undefined || value === undefined)
    return new RedisError("ERR wrong number of arguments for 'set' command")
  let untilMs = Number.POSITIVE_INFINITY
  for (let i = 0; i < options.length; i++) {
    const option = options[i]?.toUpperCase()
    if (option === 'NX') {
      if (live(key)) return null
    } else if (option === 'PX' || option === 'EX') {
      const amount = Number(options[++i])
      if (!(amount > 0)) return new RedisError("ERR invalid expire time in 'set' command")
      untilMs = now() + amount * (option === 'EX' ? 1_000 : 1)
    } else return new RedisError('ERR syntax error')
  }
  held.set(key, { value, untilMs })
  return 'OK'
}
