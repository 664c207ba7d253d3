import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Asked, type Claim, LEASE_MS, MEMORY_MS, type Outcome } from '../../src/routing/idempotency.ts'
import { ClaimDesk } from '../../src/routing/idempotency-desk.ts'
import { fakeClock } from '../support/fake-clock.ts'

const OUTCOME: Outcome = { kind: 'answer', form: 'json', error: undefined, sealed: 'sealed' }
const asked = (owner: string, fingerprint = 'body'): Asked => ({ fingerprint, owner })

function desk() {
  const clock = fakeClock()
  let claim: Claim | undefined
  const write = (next: Claim | undefined) => {
    claim = next
  }
  const cell = { read: () => claim, write }
  // What lies in the cell outlives the desk: a new one is an object that was started anew.
  return { clock, desk: new ClaimDesk(clock, cell), anew: () => new ClaimDesk(clock, cell) }
}

describe('a key', () => {
  it('belongs to the first, and to it again where its first call was lost', async () => {
    const { desk: one } = desk()
    expect(await one.claim(asked('a'), 0)).toEqual({ kind: 'yours' })
    expect(await one.claim(asked('b'), 0)).toEqual({ kind: 'running' })
    expect(await one.claim(asked('a'), 0)).toEqual({ kind: 'yours' })
    expect(await one.claim(asked('c', 'other body'), 0)).toEqual({ kind: 'conflict' })
  })

  it('gives its outcome to who waits and who comes later, for 24 hours from its first use', async () => {
    const { clock, desk: one, anew } = desk()
    await one.claim(asked('a'), 0)
    const waiting = one.claim(asked('b'), 25_000)
    await clock.advance(10_000)
    expect(one.finish('a', OUTCOME)).toBe(true)
    expect(await waiting).toEqual({ kind: 'over', outcome: OUTCOME })
    await clock.advance(MEMORY_MS - 10_001)
    expect(await anew().claim(asked('c'), 0)).toEqual({ kind: 'over', outcome: OUTCOME })
    expect(await anew().claim(asked('c', 'other body'), 0)).toEqual({ kind: 'conflict' })
    await clock.advance(1)
    expect(await anew().claim(asked('c', 'other body'), 0)).toEqual({ kind: 'yours' })
  })

  it('is passed to the longest waiting one when it is released, and to one only', async () => {
    const { clock, desk: one } = desk()
    await one.claim(asked('a'), 0)
    const [b, c] = [one.claim(asked('b'), 25_000), one.claim(asked('c'), 25_000)]
    await clock.advance(1_000)
    one.release('a')
    expect(await b).toEqual({ kind: 'yours' })
    await clock.advance(24_000)
    expect(await c).toEqual({ kind: 'running' })
  })

  it('outlives silence for a lease, then is free; a late word of its owner counts until someone else came', async () => {
    const { clock, desk: one } = desk()
    await one.claim(asked('a'), 0)
    await clock.advance(LEASE_MS - 1)
    expect(one.renew('a')).toBe(true)
    await clock.advance(LEASE_MS - 1)
    expect(await one.claim(asked('b'), 0)).toEqual({ kind: 'running' })
    const waiting = one.claim(asked('b'), 25_000)
    await clock.advance(1)
    expect(await waiting).toEqual({ kind: 'yours' })
    expect(one.renew('a')).toBe(false)
    expect(one.finish('a', OUTCOME)).toBe(false)
    await clock.advance(LEASE_MS + 1)
    expect(one.finish('b', OUTCOME)).toBe(true)
    expect(await one.claim(asked('c'), 0)).toEqual({ kind: 'over', outcome: OUTCOME })
  })

  it('is not freed by anyone but its owner, nor once it is spent', async () => {
    const { desk: one } = desk()
    await one.claim(asked('a'), 0)
    one.release('b')
    expect(await one.claim(asked('b'), 0)).toEqual({ kind: 'running' })
    one.finish('a', OUTCOME)
    one.release('a')
    expect(one.finish('a', { kind: 'lost', why: 'given_up' })).toBe(false)
    expect(await one.claim(asked('b'), 0)).toEqual({ kind: 'over', outcome: OUTCOME })
  })
})

const owners = fc.integer({ min: 0, max: 2 })
const step = fc.oneof(
  fc.record({ do: fc.constant('claim' as const), who: owners, waitMs: fc.constantFrom(0, 5_000, 25_000) }),
  fc.record({ do: fc.constantFrom('renew' as const, 'finish' as const, 'release' as const), who: owners }),
  fc.record({
    do: fc.constant('advance' as const),
    ms: fc.constantFrom(1, 4_999, 40_000, LEASE_MS, MEMORY_MS - LEASE_MS),
  }),
  fc.record({ do: fc.constant('restart' as const) }),
)

describe('in any order of claims, ends and time', () => {
  it('never has two owners at once, and none at all while an outcome is remembered', async () => {
    const run = fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const { clock, desk: first, anew } = desk()
      let one = first
      // Each turn of each party is a request of its own. An owner lives until its lease is over.
      const turns = [0, 0, 0]
      const token = (who: number) => `${who}.${turns[who]}`
      const alive = new Map<string, number>()
      const firstUseMs = new Map<string, number>()
      let spentUntilMs = 0
      const now = () => clock.now()
      const claim = (who: number, waitMs: number): Promise<void> => {
        turns[who] = (turns[who] ?? 0) + 1
        const name = token(who)
        return one.claim(asked(name), waitMs).then((answer) => {
          if (answer.kind !== 'yours') return
          const others = [...alive].filter(([other, endsMs]) => other !== name && endsMs > now())
          expect(others, `${name} at ${now()}`).toEqual([])
          expect(spentUntilMs, `${name} at ${now()}`).toBeLessThanOrEqual(now())
          alive.set(name, now() + LEASE_MS)
          firstUseMs.set(name, now())
        })
      }
      const claims: Promise<void>[] = []
      for (const each of steps) {
        if (each.do === 'claim') claims.push(claim(each.who, each.waitMs))
        if (each.do === 'renew' && one.renew(token(each.who))) alive.set(token(each.who), now() + LEASE_MS)
        if (each.do === 'release') {
          one.release(token(each.who))
          alive.delete(token(each.who))
        }
        if (each.do === 'finish' && one.finish(token(each.who), OUTCOME)) {
          alive.delete(token(each.who))
          spentUntilMs = (firstUseMs.get(token(each.who)) ?? 0) + MEMORY_MS
        }
        if (each.do === 'restart') one = anew()
        await clock.advance(each.do === 'advance' ? each.ms : 0)
      }
      await clock.advance(25_000)
      await Promise.all(claims)
    })
    // A failure prints its seed.
    await fc.assert(run, { numRuns: 2_000 })
  })
})
