import { describe, expect, it } from 'vitest'
import { Breaker } from '../../src/core/breaker.ts'
import { fromBase64Url, readBounded, toBase64Url } from '../../src/core/bytes.ts'
import { Watch } from '../../src/core/clock.ts'
import { givenRequestId, uuidv7 } from '../../src/core/ids.ts'
import { Lru } from '../../src/core/lru.ts'
import { TokenBucket } from '../../src/core/token-bucket.ts'
import { fakeClock, settled } from '../support/fake-clock.ts'

describe('the bounded map', () => {
  const map = (maxEntries: number, maxBytes = 1_000, ownerShare = 1) =>
    new Lru<number>({ maxEntries, maxBytes, ownerShare })

  it('drops what was not used lately', () => {
    const lru = map(3)
    for (const key of ['a', 'b', 'c']) lru.set(key, 1, 1, 'o')
    lru.get('a')
    lru.set('d', 1, 1, 'o')
    expect(['a', 'b', 'c', 'd'].filter((key) => lru.get(key) !== undefined)).toEqual(['a', 'c', 'd'])
  })

  it('stays within its bytes, and takes nothing that is too large', () => {
    const lru = map(100, 10)
    for (let i = 0; i < 50; i++) lru.set(`${i}`, i, 4, 'o')
    expect(lru.bytes).toBeLessThanOrEqual(10)
    lru.set('huge', 1, 11, 'o')
    expect(lru.get('huge')).toBeUndefined()
    lru.set('49', 1, 1, 'o')
    lru.delete('49')
    lru.delete('49')
    expect(lru.bytes).toBe(4)
  })

  it('makes room at the expense of the owner who asks for it', () => {
    const lru = map(4, 1_000, 0.5)
    lru.set('quiet', 1, 1, 'quiet')
    for (let i = 0; i < 50; i++) lru.set(`loud ${i}`, 1, 1, 'loud')
    expect(lru.get('quiet')).toBe(1)
    expect(lru.size).toBe(3)
  })

  it('lets everything that is in use give way when all of it is', () => {
    const lru = map(3)
    for (const key of ['a', 'b', 'c']) lru.set(key, 1, 1, 'o')
    for (const key of ['a', 'b', 'c']) lru.get(key)
    lru.set('d', 1, 1, 'o')
    expect(lru.size).toBe(3)
    expect(lru.get('d')).toBe(1)
  })
})

describe('the breaker', () => {
  it('opens on a share of failures, probes one at a time, and closes after three good ones', () => {
    const breaker = new Breaker({ openMs: 1_000 })
    for (let i = 0; i < 4; i++) breaker.failure(0)
    expect(breaker.allows(0)).toBe(true)
    breaker.failure(0)
    expect([breaker.state, breaker.allows(999)]).toEqual(['open', false])
    expect([breaker.allows(1_000), breaker.allows(1_000)]).toEqual([true, false])
    breaker.success()
    expect(breaker.allows(1_001)).toBe(true)
    breaker.success()
    breaker.allows(1_002)
    breaker.success()
    expect(breaker.state).toBe('closed')
  })

  it('waits longer after each failed probe, up to its bound', () => {
    const breaker = new Breaker({ openMs: 1_000, maxOpenMs: 4_000 })
    for (let i = 0; i < 5; i++) breaker.failure(0)
    let now = 0
    for (const waitMs of [1_000, 2_000, 4_000, 4_000]) {
      expect(breaker.allows(now + waitMs - 1)).toBe(false)
      now += waitMs
      expect(breaker.allows(now)).toBe(true)
      breaker.failure(now)
    }
  })

  it('is not blocked for ever by a probe whose end nobody told', () => {
    const breaker = new Breaker({ openMs: 1_000 })
    for (let i = 0; i < 5; i++) breaker.failure(0)
    expect([breaker.allows(1_000), breaker.allows(1_500), breaker.allows(2_000)]).toEqual([true, false, true])
  })

  it('stays closed while most calls succeed', () => {
    const breaker = new Breaker()
    for (let i = 0; i < 200; i++) i % 4 === 0 ? breaker.failure(i) : breaker.success()
    expect(breaker.state).toBe('closed')
  })
})

describe('the watch', () => {
  it('bounds one wait after the other with one timer', async () => {
    const clock = fakeClock()
    let armed = 0
    const after = (ms: number, fn: () => void) => {
      armed += 1
      return clock.after(ms, fn)
    }
    const watch = new Watch({ now: clock.now, after })
    expect(await watch.within(40, Promise.resolve('kv'))).toBe('kv')
    expect(await watch.within(60, Promise.resolve('redis'))).toBe('redis')
    expect(armed).toBe(1)
    const late = watch.within(100, new Promise(() => {}))
    const outcome = late.catch((error) => error.name)
    await clock.advance(99)
    let done = false
    outcome.then(() => (done = true))
    await settled()
    expect(done).toBe(false)
    await clock.advance(1)
    expect(await outcome).toBe('DeadlineError')
  })

  it('keeps a deadline that is sooner than the one before', async () => {
    const clock = fakeClock()
    const watch = new Watch(clock)
    await watch.within(10_000, Promise.resolve())
    const outcome = watch.within(5, new Promise(() => {})).catch((error) => error.name)
    await clock.advance(5)
    expect(await outcome).toBe('DeadlineError')
    watch.stop()
  })
})

describe('the token bucket', () => {
  it('allows its burst, then its rate, and says how long to wait', () => {
    const bucket = new TokenBucket(2, 0.5, 0)
    expect([bucket.take(0), bucket.take(0), bucket.take(0)]).toEqual([true, true, false])
    expect(bucket.secondsUntilNext(0)).toBe(2)
    expect([bucket.take(1_999), bucket.take(2_000)]).toEqual([false, true])
  })
})

describe('bytes and ids', () => {
  it('has one base64url text for one value', () => {
    for (let length = 0; length < 50; length++) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 37 + length) & 255)
      const text = toBase64Url(bytes)
      expect(fromBase64Url(text)).toEqual(bytes)
      expect(text).toBe(Buffer.from(bytes).toString('base64url'))
    }
    for (const stray of ['AB', 'A', 'AA==', 'AA AA', 'A+A/', 'AAB'])
      expect(() => fromBase64Url(stray)).toThrow()
  })

  it('reads no more of a body than allowed', async () => {
    const body = () =>
      new ReadableStream({
        start: (controller) => {
          for (let i = 0; i < 2; i++) controller.enqueue(new Uint8Array(6))
          controller.close()
        },
      })
    expect((await readBounded(body(), 12)).length).toBe(12)
    await expect(readBounded(body(), 11)).rejects.toThrow('more than 11 bytes')
  })

  it('makes ids that sort by time', () => {
    const ids = [1, 2, 1_800_000_000_000].map((ms) => uuidv7(ms))
    expect(ids.toSorted()).toEqual(ids)
    for (const id of ids)
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(givenRequestId('from-the-caller.1')).toBe('from-the-caller.1')
    for (const harmful of ['a b', '<x>', '', 'ü', 'a'.repeat(129), '{"a":1}'])
      expect(givenRequestId(harmful)).toBeUndefined()
  })
})
