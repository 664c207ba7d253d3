import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { LEASE_MS, MEMORY_MS } from '../../src/routing/idempotency.ts'
import { Idempotency } from '../../workers/state/idempotency.ts'
import { FAKE_START_MS } from '../support/fake-clock.ts'

// A day cannot be waited for in workerd, so the object's own class runs here on storage of the same form.
vi.mock('cloudflare:workers', () => ({
  DurableObject: class {
    readonly ctx: unknown
    constructor(ctx: unknown) {
      this.ctx = ctx
    }
  },
}))

function object() {
  const held = new Map<string, unknown>()
  const alarm: { atMs: number | undefined } = { atMs: undefined }
  const storage = {
    kv: {
      get: (key: string) => held.get(key),
      put: (key: string, value: unknown) => void held.set(key, structuredClone(value)),
      delete: (key: string) => held.delete(key),
    },
    setAlarm: async (atMs: number) => {
      alarm.atMs = atMs
    },
    deleteAll: async () => held.clear(),
  }
  const ctx = { storage } as unknown as DurableObjectState
  return { held, alarm, start: () => new Idempotency(ctx, {}) }
}

beforeEach(() => vi.useFakeTimers({ now: FAKE_START_MS }))
afterEach(() => vi.useRealTimers())

it('leaves nothing behind after 24 hours', async () => {
  const { held, alarm, start } = object()
  const first = start()
  await first.claim({ fingerprint: 'body', owner: 'a' }, 0)
  first.finish('a', { kind: 'lost', why: 'too_large' })
  expect(alarm.atMs).toBe(FAKE_START_MS + MEMORY_MS)
  expect(held.size).toBe(1)
  vi.setSystemTime(alarm.atMs ?? 0)
  await start().alarm()
  expect(held.size).toBe(0)
})

it('leaves a key alone that is at work, or was taken anew, when the alarm of its first use comes', async () => {
  const { held, alarm, start } = object()
  const first = start()
  await first.claim({ fingerprint: 'body', owner: 'a' }, 0)
  first.release('a')
  vi.setSystemTime(FAKE_START_MS + MEMORY_MS - 1)
  await first.claim({ fingerprint: 'other', owner: 'b' }, 0)
  vi.setSystemTime(FAKE_START_MS + MEMORY_MS)
  await start().alarm()
  expect(held.size).toBe(1)
  expect(alarm.atMs).toBe(FAKE_START_MS + 2 * MEMORY_MS - 1)
})

it('answers who waits when the lease of a dead owner ends', async () => {
  const { start } = object()
  const one = start()
  await one.claim({ fingerprint: 'body', owner: 'a' }, 0)
  await vi.advanceTimersByTimeAsync(LEASE_MS - 1_000)
  const waiting = one.claim({ fingerprint: 'body', owner: 'b' }, 25_000)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(await waiting).toEqual({ kind: 'yours' })
})
