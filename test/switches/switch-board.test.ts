import { describe, expect, it } from 'vitest'
import type { KvStore } from '../../src/core/kv.ts'
import { Vault } from '../../src/core/vault.ts'
import { kvSwitches } from '../../src/switches/kv-switches.ts'
import type { Switch } from '../../src/switches/switch.ts'
import { SwitchBoard, type SwitchCopies } from '../../src/switches/switch-board.ts'
import { type FakeClock, fakeClock } from '../support/fake-clock.ts'
import { KvDouble } from '../support/kv-double.ts'
import { ROOT_KEY } from '../support/slots.ts'

const BOUND_MS = 90_000

/** A store, and isolates of several places over KV as it is in production. */
function setUp() {
  const clock = fakeClock()
  const double = new KvDouble(clock.now)
  const store = { off: [] as readonly Switch[], reads: 0, down: false, hangs: false }
  const list = async () => {
    store.reads += 1
    if (store.hangs) await new Promise(() => {})
    if (store.down) throw new Error('down')
    return store.off
  }
  const isolate = (kv = double.at(), copies = unsealed(kv)) => {
    const board = new SwitchBoard({ clock, list, copies })
    /** What a request does, and what is off for it. */
    const request = async () => {
      await board.renew(() => {})
      return board.off
    }
    /** As the operator's route does it. */
    const change = async (off: readonly Switch[]) => {
      store.off = off
      await board.changed({ switches: off, verifiedAtMs: clock.now() })
    }
    return { board, request, change }
  }
  const off = (more: Partial<Switch> = {}): Switch => ({
    kind: 'cache',
    name: 'all',
    note: 'why',
    by: 'me',
    atMs: clock.now(),
    untilMs: null,
    ...more,
  })
  return { clock, double, store, isolate, off }
}

/** In KV as it is: sealing takes real time, which a clock that is moved by hand outruns. */
const unsealed = (kv: KvStore): SwitchCopies => ({
  get: async () => JSON.parse((await kv.get('switches', 'text')) ?? 'null') ?? undefined,
  put: async (record) => kv.put('switches', JSON.stringify(record), { expirationTtl: 86_400 }),
})

/** Time goes on while requests come. */
async function live(clock: FakeClock, ms: number, everyMs: number, requests: () => Promise<unknown>) {
  for (let passed = 0; passed < ms; passed += everyMs) {
    await requests()
    await clock.advance(everyMs)
  }
}

describe('a switch', () => {
  it.each([
    { name: 'in isolates that are busy', everyMs: 500 },
    { name: 'in isolates with a request now and then', everyMs: 20_000 },
  ])('is off at once where it was thrown, and within 90 s elsewhere: $name', async ({ everyMs }) => {
    const { clock, isolate, off } = setUp()
    const [here, there, far] = [isolate(), isolate(), isolate()]
    const all = () => Promise.all([here, there, far].map(({ request }) => request()))
    await live(clock, 100_000, everyMs, all)
    await here.change([off()])
    expect(here.board.off.isCacheOff).toBe(true)
    const thrownMs = clock.now()
    let sawOff = 0
    await live(clock, BOUND_MS, everyMs, async () => {
      const seen = await all()
      expect(seen[0]?.isCacheOff).toBe(true)
      sawOff = seen.filter(({ isCacheOff }) => isCacheOff).length
    })
    expect(clock.now() - thrownMs).toBeLessThanOrEqual(BOUND_MS + everyMs)
    expect((await all()).every(({ isCacheOff }) => isCacheOff)).toBe(true)
    expect(sawOff).toBeGreaterThan(1)
    await there.change([])
    await live(clock, BOUND_MS, everyMs, all)
    expect((await all()).some(({ isCacheOff }) => isCacheOff)).toBe(false)
  })

  it('is off for the first request of an isolate that slept through it, and of a new one', async () => {
    const { clock, isolate, off } = setUp()
    const [here, asleep] = [isolate(), isolate()]
    await Promise.all([here.request(), asleep.request()])
    await clock.advance(600_000)
    await here.change([off({ kind: 'tenant', name: 'acme' })])
    await clock.advance(BOUND_MS)
    const seen = await Promise.all([asleep.request(), asleep.request(), isolate().request()])
    for (const { tenants } of seen) expect(tenants?.has('acme')).toBe(true)
  })

  it('is not undone by a copy from before it', async () => {
    const { clock, isolate, off, double } = setUp()
    const kv = double.at()
    const here = isolate(kv)
    await here.request()
    await clock.advance(5_000)
    await here.change([off()])
    // This place still shows what it has read of KV before.
    await live(clock, 120_000, 1_000, async () =>
      expect((await here.request()).isCacheOff, String(clock.now())).toBe(true),
    )
  })

  it('ends by itself, on the millisecond', async () => {
    const { clock, isolate, off } = setUp()
    const here = isolate()
    await here.request()
    await here.change([off({ untilMs: clock.now() + 10_000 }), off({ kind: 'tenant', name: 'acme' })])
    await clock.advance(9_999)
    expect((await here.request()).isCacheOff).toBe(true)
    await clock.advance(1)
    const { isCacheOff, tenants } = await here.request()
    expect([isCacheOff, tenants?.has('acme')]).toEqual([false, true])
    expect(here.board.switches.map(({ name }) => name)).toEqual(['acme'])
  })
})

describe('the record', () => {
  it('is asked for behind requests, which only look at it', async () => {
    const { clock, isolate, store, double } = setUp()
    const { board, request } = isolate()
    await request()
    const reads = store.reads
    let waited = 0
    await live(clock, 600_000, 100, async () => {
      if (board.renew(() => {}) !== undefined) waited += 1
    })
    expect(waited).toBe(0)
    expect(store.reads - reads).toBeLessThanOrEqual(600_000 / 15_000)
    expect(double.refused).toBe(0)
  })

  it('stays as it was while the stores are down, and holds nobody up', async () => {
    const { clock, isolate, store, off } = setUp()
    const { board, request, change } = isolate()
    await request()
    await clock.advance(1_000)
    await change([off()])
    store.down = true
    let waited = 0
    await live(clock, 3_600_000, 1_000, async () => {
      if (board.renew(() => {})) waited += 1
      expect(board.off.isCacheOff).toBe(true)
    })
    expect(waited).toBeLessThanOrEqual(1)
    // One that starts meanwhile has it from the copy.
    expect((await isolate().request()).isCacheOff).toBe(true)
    store.down = false
    store.off = []
    await live(clock, BOUND_MS, 1_000, request)
    expect(board.off.isCacheOff).toBe(false)
  })

  it('leaves everything on while nothing is known, after half a second at most', async () => {
    const { clock, isolate, store } = setUp()
    store.hangs = true
    const { board } = isolate()
    const first = board.renew(() => {})
    expect(first).toBeDefined()
    let isThrough = false
    void first?.then(() => {
      isThrough = true
    })
    await clock.advance(500)
    expect(isThrough).toBe(true)
    expect(board.off).toMatchObject({ isCacheOff: false, tiers: undefined, tenants: undefined })
    expect(board.renew(() => {})).toBeUndefined()
  })

  it('is not believed where somebody else has written it into KV', async () => {
    const { clock, double, off } = setUp()
    const copies = kvSwitches(double.at(), new Vault(ROOT_KEY))
    const forged = JSON.stringify({ switches: [off()], verifiedAtMs: clock.now() })
    await double.at().put('switches', forged, { expirationTtl: 3_600 })
    await expect(copies.get()).rejects.toThrow()
    const record = { switches: [off({ untilMs: 5 })], verifiedAtMs: clock.now() }
    await clock.advance(1_000)
    await copies.put(record)
    const elsewhere = kvSwitches(double.at(), new Vault(ROOT_KEY))
    expect(await elsewhere.get()).toEqual(record)
  })
})
