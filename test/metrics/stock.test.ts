import { expect, it } from 'vitest'
import { seededRandom } from '../../scripts/seeded-random.ts'
import { Stock, type StoreTier } from '../../src/metrics/stock.ts'

const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000)
console.log(`seed ${SEED}`)
const MINUTE_MS = 60_000
const START_MS = 1_000_000 * MINUTE_MS

const held = (stock: Stock, nowMs: number, tier: StoreTier = 'kv') => {
  const gauges = stock.gauges(nowMs)
  return [gauges[`cache_entries{tier="${tier}"}`], gauges[`cache_bytes{tier="${tier}"}`]]
}

it('holds what was written until the minute in which it ends is over', () => {
  const stock = new Stock()
  expect(stock.isEmpty).toBe(true)
  expect(stock.gauges(START_MS)).toEqual({})
  stock.add('kv', 1, 100, START_MS + 90_000)
  stock.add('kv', 1, 50, START_MS + 5 * MINUTE_MS)
  expect(held(stock, START_MS)).toEqual([2, 150])
  expect(held(stock, START_MS + 119_999)).toEqual([2, 150])
  expect(held(stock, START_MS + 120_000)).toEqual([1, 50])
  expect(held(stock, START_MS + 5 * MINUTE_MS)).toEqual([0, 0])
  // A tier that once held something says 0; one that never did says nothing.
  expect(held(new Stock(stock.data(START_MS + 6 * MINUTE_MS)), START_MS + 6 * MINUTE_MS)).toEqual([0, 0])
  expect(held(stock, START_MS, 'redis')).toEqual([undefined, undefined])
})

it('takes out what is let go before its time, once and for all', () => {
  const stock = new Stock()
  const endsMs = START_MS + 30 * MINUTE_MS
  for (const bytes of [10, 20, 30]) stock.add('redis', 1, bytes, endsMs)
  stock.add('redis', -1, -20, endsMs)
  expect(held(stock, START_MS, 'redis')).toEqual([2, 40])
  expect(held(stock, endsMs, 'redis')).toEqual([0, 0])
  // Never below nothing, should more be let go than was heard of.
  stock.add('redis', -1, -20, endsMs + MINUTE_MS)
  expect(held(stock, endsMs, 'redis')).toEqual([0, 0])
})

it('is the same in any number of parts, in any order, kept or not: as a list of entries would have it', () => {
  const random = seededRandom(SEED)
  const parts = Array.from({ length: 5 }, () => new Stock())
  const entries: { endsAtMs: number; bytes: number }[] = []
  let nowMs = START_MS
  for (let step = 0; step < 2_000; step++) {
    nowMs += Math.floor(random() * 20_000)
    const place = Math.floor(random() * parts.length)
    const part = parts[place] as Stock
    const gone = entries.findIndex(({ endsAtMs }) => endsAtMs > nowMs)
    if (random() < 0.2 && gone >= 0) {
      // Whoever lets it go need not be who took it in.
      const [{ endsAtMs, bytes }] = entries.splice(gone, 1) as [{ endsAtMs: number; bytes: number }]
      part.add('supabase', -1, -bytes, endsAtMs)
    } else {
      const entry = {
        endsAtMs: nowMs + Math.ceil(random() * 200) * MINUTE_MS,
        bytes: Math.ceil(random() * 9_000),
      }
      entries.push(entry)
      part.add('supabase', 1, entry.bytes, entry.endsAtMs)
    }
    if (random() < 0.1) parts[place] = new Stock(JSON.parse(JSON.stringify(part.data(nowMs))))
    if (step % 50 !== 0) continue
    const sum = new Stock()
    for (const each of parts) sum.merge(each.data(nowMs))
    const live = entries.filter(({ endsAtMs }) => Math.ceil(endsAtMs / MINUTE_MS) * MINUTE_MS > nowMs)
    expect(held(sum, nowMs, 'supabase'), `seed ${SEED}, step ${step}`).toEqual([
      live.length,
      live.reduce((total, { bytes }) => total + bytes, 0),
    ])
  }
})
