import { expect, it } from 'vitest'
import { seededRandom } from '../../scripts/seeded-random.ts'
import { MinuteCount } from '../../src/tenants/minute-count.ts'

const MINUTE = 60_000

it('lets no sixty seconds hold more than the limit, and whoever waits as long as was said gets through', () => {
  const seed = Date.now() & 0xffff
  console.log(`seed ${seed}`)
  const random = seededRandom(seed)
  for (let round = 0; round < 50; round++) {
    const limit = 1 + Math.floor(random() * 40)
    const minute = new MinuteCount()
    const passed: number[] = []
    let nowMs = Math.floor(random() * 1e12)
    const tryNow = (): boolean => {
      if (minute.waitMs(limit - 1, nowMs) > 0) return false
      minute.add(1, nowMs)
      passed.push(nowMs)
      return true
    }
    for (let step = 0; step < 400; step++) {
      if (!tryNow()) {
        const waitMs = minute.waitMs(limit - 1, nowMs)
        expect(waitMs).toBeLessThanOrEqual(MINUTE)
        nowMs += waitMs - 1
        expect(tryNow()).toBe(false)
        nowMs += 1
        expect(tryNow()).toBe(true)
      }
      nowMs += Math.floor(random() ** 4 * (random() < 0.1 ? 90_000 : 300))
    }
    for (const [index, atMs] of passed.entries()) {
      const beyond = passed[index + limit]
      if (beyond !== undefined) expect(beyond - atMs).toBeGreaterThanOrEqual(MINUTE)
    }
  }
})

it('goes on where an earlier one had stopped', () => {
  const first = new MinuteCount()
  const seconds = [first.add(3, 10_000), first.add(2, 12_500)]
  const next = new MinuteCount(seconds)
  expect([next.used(12_500), next.waitMs(4, 12_500), next.resetMs(12_500)]).toEqual([5, 57_500, 60_000])
  expect([next.used(70_000), next.used(72_499), next.used(72_500)]).toEqual([2, 2, 0])
})

it('takes back what was not used, while that second still counts', () => {
  const minute = new MinuteCount()
  minute.add(100, 1_000)
  expect(minute.takeBack(60, 1_999)).toMatchObject({ count: 40 })
  expect(minute.used(2_000)).toBe(40)
  expect(minute.takeBack(60, 1_000)).toMatchObject({ count: 0 })
  minute.drop(61_000)
  expect([minute.takeBack(1, 1_000), minute.used(61_000)]).toEqual([undefined, 0])
})

it('lets nothing go early where the clock is set back', () => {
  const minute = new MinuteCount()
  minute.add(1, 100_000)
  minute.add(1, 40_000)
  expect([minute.used(159_999), minute.used(160_000)]).toEqual([2, 0])
})
