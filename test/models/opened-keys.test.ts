import { inspect } from 'node:util'
import { beforeEach, describe, expect, it } from 'vitest'
import { KeyBox, type KeyPlace, type SealedKey } from '../../src/models/key-box.ts'
import { OpenedKeys } from '../../src/models/opened-keys.ts'
import { type FakeClock, fakeClock } from '../support/fake-clock.ts'

const PLACE: KeyPlace = { table: 'custom_models', rowId: 'row-1', tenantId: 'acme' }
const box = new KeyBox(new Map([['KEK_1', crypto.getRandomValues(new Uint8Array(32))]]), 'KEK_1')

let clock: FakeClock
let opened: OpenedKeys
/** How often the box itself was asked. */
let openings: number

beforeEach(() => {
  clock = fakeClock()
  openings = 0
  const counting = {
    open: (place: KeyPlace, sealed: SealedKey) => {
      openings += 1
      return box.open(place, sealed)
    },
  }
  opened = new OpenedKeys(counting, clock)
})

describe('opened keys', () => {
  it('are opened once a minute, not once a request', async () => {
    const sealed = await box.seal(PLACE, 'sk-1')
    for (let i = 0; i < 5; i++) expect(await opened.open(PLACE, sealed)).toBe('sk-1')
    expect(openings).toBe(1)
    await clock.advance(59_999)
    await opened.open(PLACE, { ...sealed })
    expect(openings).toBe(1)
    await clock.advance(1)
    await opened.open(PLACE, sealed)
    expect(openings).toBe(2)
  })

  it('live a minute from when they were opened, however often they are used', async () => {
    const sealed = await box.seal(PLACE, 'sk-1')
    for (let s = 0; s < 180; s++) {
      await opened.open(PLACE, sealed)
      await clock.advance(1_000)
    }
    expect(openings).toBe(3)
  })

  it('change at once with their row', async () => {
    await opened.open(PLACE, await box.seal(PLACE, 'sk-old'))
    expect(await opened.open(PLACE, await box.seal(PLACE, 'sk-new'))).toBe('sk-new')
  })

  it('are given to no other row or tenant', async () => {
    const sealed = await box.seal(PLACE, 'sk-1')
    await opened.open(PLACE, sealed)
    for (const place of [
      { ...PLACE, tenantId: 'evil' },
      { ...PLACE, rowId: 'row-2' },
      { ...PLACE, table: 'other' },
    ])
      await expect(opened.open(place, sealed)).rejects.toMatchObject({ code: 'key_unreadable' })
    await expect(opened.open(PLACE, { ...sealed, iv: 'AAAAAAAAAAAAAAAA' })).rejects.toThrow()
  })

  it('remember no failure', async () => {
    const sealed = await box.seal(PLACE, 'sk-1')
    let down = true
    const flaky = new OpenedKeys(
      { open: (place, key) => (down ? Promise.reject(new Error('down')) : box.open(place, key)) },
      clock,
    )
    await expect(flaky.open(PLACE, sealed)).rejects.toThrow('down')
    down = false
    expect(await flaky.open(PLACE, sealed)).toBe('sk-1')
  })

  it('are dropped by whoever comes next after their minute', async () => {
    for (let i = 0; i < 20; i++) await opened.open(PLACE, await box.seal(PLACE, `sk-${i}`))
    expect(opened.size).toBe(20)
    await clock.advance(60_000)
    await opened.open(PLACE, await box.seal(PLACE, 'sk-last'))
    expect(opened.size).toBe(1)
  })

  it('are bounded in number and length; the oldest gives way', async () => {
    const sealed = await Promise.all(Array.from({ length: 501 }, (_, i) => box.seal(PLACE, `sk-${i}`)))
    for (const key of sealed) await opened.open(PLACE, key)
    expect([opened.size, openings]).toEqual([500, 501])
    await opened.open(PLACE, sealed[500] as SealedKey)
    expect(openings).toBe(501)
    await opened.open(PLACE, sealed[0] as SealedKey)
    expect([opened.size, openings]).toEqual([500, 502])
    const long = 'x'.repeat(16_000)
    expect(await opened.open(PLACE, await box.seal(PLACE, long))).toBe(long)
    expect(await opened.open(PLACE, sealed[0] as SealedKey)).toBe('sk-0')
    expect(openings).toBe(503)
  })

  it('are right for two who open at once', async () => {
    const sealed = await box.seal(PLACE, 'sk-1')
    expect(await Promise.all([1, 2, 3].map(() => opened.open(PLACE, sealed)))).toEqual([
      'sk-1',
      'sk-1',
      'sk-1',
    ])
    expect(opened.size).toBe(1)
  })

  it('end in time for two whose openings overtook one another', async () => {
    const [slow, fast] = [await box.seal(PLACE, 'sk-slow'), await box.seal(PLACE, 'sk-fast')]
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const overtaken = new OpenedKeys(
      {
        open: async (place, sealed) => {
          openings += 1
          if (sealed === slow) await held
          return box.open(place, sealed)
        },
      },
      clock,
    )
    const first = overtaken.open(PLACE, slow)
    await clock.advance(10)
    await overtaken.open(PLACE, fast)
    release()
    await first
    await clock.advance(59_995)
    expect(openings).toBe(2)
    await overtaken.open(PLACE, slow)
    expect(openings).toBe(3)
  })

  it('are not shown', async () => {
    await opened.open(PLACE, await box.seal(PLACE, 'sk-canary'))
    expect(`${JSON.stringify(opened)} ${inspect(opened, { depth: 9, showHidden: true })}`).not.toMatch(
      /sk-canary/,
    )
  })
})
