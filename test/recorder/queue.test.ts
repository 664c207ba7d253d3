import { afterEach, describe, expect, it, vi } from 'vitest'
import { databaseKey, signerOf } from '../../scripts/stack/database-keys.ts'
import recorder, { type Env } from '../../workers/recorder/index.ts'
import { KEYS } from '../support/stores.ts'

afterEach(() => vi.restoreAllMocks())

const keyOf = (days: number) =>
  databaseKey('SUPABASE_RECORDER_KEY', KEYS.publishableKey, signerOf(KEYS.jwtSecret), {
    nowMs: Date.now(),
    days,
  })

/** A batch, and what was said of each of its messages. */
async function deliver(env: Partial<Env>, queue: string) {
  const said: unknown[] = []
  const log = vi.spyOn(console, 'error').mockImplementation(() => undefined)
  const messages = [1, 60].map((attempts) => ({
    id: String(attempts),
    timestamp: new Date(),
    body: { records: [] },
    attempts,
    ack: () => said.push('ack'),
    retry: (options?: { delaySeconds?: number }) => said.push(options?.delaySeconds),
  }))
  const batch = { queue, messages, metadata: {}, ackAll: () => {}, retryAll: () => {} }
  await recorder.queue(batch as unknown as Parameters<typeof recorder.queue>[0], env as Env)
  return { said, logged: log.mock.calls.map(([line]) => JSON.parse(String(line))) }
}

describe('a recorder that cannot reach its store', () => {
  const url = 'http://127.0.0.1:9'
  it.each([
    ['no key', { SUPABASE_URL: url }, 'SUPABASE_RECORDER_KEY'],
    ['an empty key', { SUPABASE_URL: url, SUPABASE_RECORDER_KEY: '' }, 'SUPABASE_RECORDER_KEY'],
    ['no address', { SUPABASE_RECORDER_KEY: keyOf(1) }, 'SUPABASE_URL'],
    ['a key that has expired', { SUPABASE_URL: url, SUPABASE_RECORDER_KEY: keyOf(-1) }, 'has expired'],
  ])('for %s, says so, and lets everything come again later and later', async (_, env, why) => {
    vi.spyOn(Math, 'random').mockReturnValue(0.999)
    const { said, logged } = await deliver(env, 'beast-telemetry')
    expect(said).toEqual([2, 300])
    expect(logged).toMatchObject([{ code: 'recorder', later: 2, message: expect.stringContaining(why) }])
    expect((await deliver(env, 'beast-telemetry-dead')).said).toEqual([2, 3_597])
  })
})
