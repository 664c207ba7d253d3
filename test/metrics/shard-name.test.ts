import { describe, expect, it } from 'vitest'
import { REGIONS, regionOf, SHARDS, shardName } from '../../src/metrics/shard-name.ts'

describe('shards', () => {
  it('are named as they always were: what they counted lies under these names', () => {
    expect(['a', 'b', '00000000-0000-4000-8000-000000000000', ''].map((id) => shardName('weur', id))).toEqual(
      ['weur-7', 'weur-14', 'weur-12', 'weur-1'],
    )
  })

  it.each([
    ['random ids', () => crypto.randomUUID()],
    ['ids that differ in their end', (i: number) => `isolate-${i}`],
    ['ids that differ in their beginning', (i: number) => `${i}-isolate`],
  ])('take even shares of isolates: %s', (_, idOf) => {
    const shares = new Map<string, number>()
    for (let i = 0; i < 16_000; i++) {
      const name = shardName('apac', idOf(i))
      shares.set(name, (shares.get(name) ?? 0) + 1)
    }
    expect(shares.size).toBe(SHARDS)
    for (const [name, share] of shares) expect(Math.abs(share - 1_000), name).toBeLessThan(200)
  })

  it('lie in a region that can be named, wherever the request comes from', () => {
    for (const continent of ['AF', 'AN', 'AS', 'EU', 'NA', 'OC', 'SA', 'T1', '', 'constructor', undefined])
      expect(REGIONS).toContain(regionOf(continent))
    expect(regionOf('EU')).toBe('weur')
  })
})
