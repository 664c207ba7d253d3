import { describe, expect, it } from 'vitest'
import { Vault } from '../../src/core/vault.ts'
import { Authenticator } from '../../src/tenants/authenticator.ts'
import { KvKeyRecords } from '../../src/tenants/kv-records.ts'
import type { Caller } from '../../src/tenants/tenant.ts'
import { createVirtualKey, isVirtualKey, KeyDigest } from '../../src/tenants/virtual-key.ts'
import { type FakeClock, fakeClock, settled } from '../support/fake-clock.ts'
import { KvDouble } from '../support/kv-double.ts'
import { ROOT_KEY, tenant } from '../support/slots.ts'

const DIGEST = new KeyDigest('p'.repeat(32))
const KEY = createVirtualKey()
const CALLER: Caller = { keyId: 'k1', expiresAtMs: null, tenant: tenant('t1') }

/** The directory, with what it knows and how it behaves in our hands. */
async function directory() {
  const known = new Map([[await DIGEST.of(KEY), CALLER]])
  const state = { known, lookups: 0, down: false }
  const find = async (digest: string) => {
    state.lookups += 1
    if (state.down) throw new Error('down')
    return known.get(digest)
  }
  return { ...state, find, state }
}

async function setUp() {
  const clock = fakeClock()
  const double = new KvDouble(clock.now)
  const { state, find } = await directory()
  const isolate = (kv = double.at()) => {
    const authenticator = new Authenticator({
      clock,
      digest: DIGEST,
      directory: { find },
      store: new KvKeyRecords(kv, new Vault(ROOT_KEY)),
    })
    return async (key = KEY, client = '1.2.3.4') => {
      const background: Promise<unknown>[] = []
      try {
        return (await authenticator.authenticate(key, client, (work) => background.push(work))).keyId
      } catch (error) {
        return (error as { code: string }).code
      } finally {
        await Promise.all(background)
      }
    }
  }
  const revoke = async () => void state.known.delete(await DIGEST.of(KEY))
  return { clock, double, state, isolate, revoke }
}

const pass = (clock: FakeClock, ms: number) => clock.advance(ms)

describe('a virtual key', () => {
  it('is told from a typing error without any store', () => {
    expect(isVirtualKey(KEY)).toBe(true)
    expect(KEY).toMatch(/^bm_live_[\w-]{43}[0-9a-f]{8}$/)
    for (let at = 0; at < KEY.length; at++) {
      const changed = KEY.slice(0, at) + (KEY[at] === 'a' ? 'b' : 'a') + KEY.slice(at + 1)
      expect(isVirtualKey(changed)).toBe(false)
    }
    for (const wrong of ['', 'bm_live_', KEY.slice(0, -1), `${KEY}0`, ` ${KEY}`, KEY.toUpperCase()])
      expect(isVirtualKey(wrong)).toBe(false)
  })

  it('shares its identity with no key of the same first 20 characters', async () => {
    const bytes = new Uint8Array(32).fill(9)
    const twin = createVirtualKey(Uint8Array.from(bytes, (byte, i) => (i === 31 ? 1 : byte)))
    const first = createVirtualKey(bytes)
    expect(twin.slice(0, 20)).toBe(first.slice(0, 20))
    expect(await DIGEST.of(twin)).not.toBe(await DIGEST.of(first))
  })
})

describe('who calls', () => {
  it('asks the directory once, then remembers', async () => {
    const { isolate, state } = await setUp()
    const authenticate = isolate()
    for (let i = 0; i < 5; i++) expect(await authenticate()).toBe('k1')
    expect(state.lookups).toBe(1)
    // Another isolate of another place finds the record in KV.
    expect(await isolate()()).toBe('k1')
    expect(state.lookups).toBe(1)
  })

  it('forgets a revoked key within 90 s everywhere, on KV that hides writes and caches misses', async () => {
    const { isolate, clock, revoke, double } = await setUp()
    const [here, there] = [isolate(), isolate()]
    for (let i = 0; i < 6; i++) {
      expect(await here()).toBe('k1')
      expect(await there()).toBe('k1')
      await pass(clock, 10_000)
    }
    await revoke()
    const late = isolate()
    for (let waited = 0; waited <= 90_000; waited += 5_000) {
      await Promise.all([here(), there(), late()])
      await pass(clock, 5_000)
    }
    expect([await here(), await there(), await late(), await isolate()()]).toEqual(
      Array(4).fill('invalid_api_key'),
    )
    expect(double.writes).toBeGreaterThan(0)
  })

  it("takes another writer's resurrected record for what it is: old", async () => {
    const { isolate, clock, revoke, double } = await setUp()
    await isolate()()
    const record = double.at()
    const stored = await record.get(`key:${await DIGEST.of(KEY)}`, 'text')
    await revoke()
    await pass(clock, 89_000)
    await record.put(`key:${await DIGEST.of(KEY)}`, stored ?? '', { expirationTtl: 900 })
    await pass(clock, 1_001)
    expect(await isolate()()).toBe('invalid_api_key')
  })

  it('goes on for 15 minutes while the directory is down, and not longer', async () => {
    const { isolate, clock, state } = await setUp()
    const authenticate = isolate()
    await authenticate()
    state.down = true
    await pass(clock, 14 * 60_000)
    expect(await authenticate()).toBe('k1')
    await pass(clock, 61_000)
    expect(await authenticate()).toBe('store_unavailable')
  })

  it('never says 401 for a directory in trouble, and asks it again when it is back', async () => {
    const { isolate, state, clock } = await setUp()
    state.down = true
    const authenticate = isolate()
    for (let i = 0; i < 20; i++) expect(await authenticate()).toBe('store_unavailable')
    // The breaker spares it.
    expect(state.lookups).toBeLessThanOrEqual(5)
    state.down = false
    await pass(clock, 1_000)
    expect(await authenticate()).toBe('k1')
  })

  it('believes no record that was written by someone without the root key', async () => {
    const { isolate, double, state } = await setUp()
    const forged = await new KvKeyRecords(double.at(), new Vault(new Uint8Array(32).fill(66)))
    const stranger = createVirtualKey()
    await forged.put(await DIGEST.of(stranger), { caller: CALLER, verifiedAtMs: Number.MAX_SAFE_INTEGER })
    expect(await isolate()(stranger)).toBe('invalid_api_key')
    expect(state.lookups).toBe(1)
  })

  it('bounds what a flood of guesses costs the directory, and does not lock out the good key', async () => {
    const { isolate, state } = await setUp()
    const authenticate = isolate()
    const answers = new Map<string, number>()
    for (let i = 0; i < 2_000; i++) {
      const answer = await authenticate(createVirtualKey())
      answers.set(answer, (answers.get(answer) ?? 0) + 1)
    }
    expect(state.lookups).toBeLessThanOrEqual(20)
    expect(answers.get('too_many_guesses')).toBe(1_980)
    expect(await authenticate(KEY, '5.6.7.8')).toBe('k1')
    // From many addresses at once the isolate's own bound holds.
    for (let i = 0; i < 2_000; i++) await authenticate(createVirtualKey(), `10.0.${i >> 8}.${i & 255}`)
    expect(state.lookups).toBeLessThanOrEqual(202)
    await settled()
  })

  it('refuses a key past its end, also from memory', async () => {
    const { isolate, clock, state } = await setUp()
    state.known.set(await DIGEST.of(KEY), { ...CALLER, expiresAtMs: clock.now() + 10_000 })
    const authenticate = isolate()
    expect(await authenticate()).toBe('k1')
    await pass(clock, 10_000)
    expect(await authenticate()).toBe('invalid_api_key')
  })

  it('answers for a revoked key in the same steps as for one that never was', async () => {
    const { isolate, state, revoke } = await setUp()
    await revoke()
    const steps = async (key: string) => {
      const before = state.lookups
      const answer = await isolate()(key)
      return [answer, state.lookups - before]
    }
    expect(await steps(KEY)).toEqual(await steps(createVirtualKey()))
  })
})
