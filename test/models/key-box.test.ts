import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { fromBase64Url, toBase64Url } from '../../src/core/bytes.ts'
import { GatewayError } from '../../src/core/errors.ts'
import { keksFrom } from '../../src/models/keks.ts'
import { KeyBox, type KeyPlace, type SealedKey } from '../../src/models/key-box.ts'

const random32 = () => toBase64Url(crypto.getRandomValues(new Uint8Array(32)))
const SECRETS = { KEK_1: random32(), KEK_2: random32() }
const boxOf = (secrets: Readonly<Record<string, unknown>>) => {
  const { keks, currentKid } = keksFrom(secrets)
  return new KeyBox(keks, currentKid)
}
const first = () => boxOf({ KEK_1: SECRETS.KEK_1 })
const both = () => boxOf(SECRETS)
const second = () => boxOf({ KEK_2: SECRETS.KEK_2 })

const API_KEY = 'sk-proj-canary-7f3a9b'
const PLACE: KeyPlace = { table: 'custom_models', rowId: 'row-1', tenantId: 'acme' }

/** Everything of an error that could ever be written down. */
const everythingOf = (error: GatewayError) =>
  [
    JSON.stringify(error.toBody('r')),
    JSON.stringify(error),
    error.stack,
    inspect(error, { depth: 9, showHidden: true }),
  ].join()

/** The failure to open, which never shows the key, the sealed text or a KEK. */
async function unreadable(work: Promise<unknown>, ...secrets: readonly string[]): Promise<GatewayError> {
  const error = await work.then(
    (value) => new Error(`opened: ${value}`),
    (thrown) => thrown,
  )
  if (!(error instanceof GatewayError)) throw error
  expect([error.code, error.status, error.fault]).toEqual(['key_unreadable', 500, 'gateway'])
  for (const secret of [API_KEY, ...Object.values(SECRETS), ...secrets])
    expect(everythingOf(error)).not.toContain(secret)
  return error
}

const DAMAGED = /does not belong to its row, or is damaged/

describe('the key box', () => {
  it.each([API_KEY, '', 'ключ 🔑', 'x'.repeat(10_000), '{"type":"service_account"}\n'])(
    'opens what it sealed: %#',
    async (text) => {
      const sealed = await first().seal(PLACE, text)
      expect(await first().open(PLACE, sealed)).toBe(text)
    },
  )

  it('stores v2.kid.wrappedKey.ciphertext and the IV, and none of it is the key', async () => {
    const { encrypted, iv } = await both().seal(PLACE, API_KEY)
    expect(encrypted).toMatch(/^v2\.KEK_2\.[\w-]{54}\.[\w-]+$/)
    const [, , wrapped = '', ciphertext = ''] = encrypted.split('.')
    expect([wrapped, ciphertext, iv].map((part) => fromBase64Url(part).length)).toEqual([
      40,
      API_KEY.length + 16,
      12,
    ])
    expect(Buffer.from(ciphertext, 'base64url').toString('latin1')).not.toContain('canary')
  })

  it('seals the same key to another text each time', async () => {
    const box = first()
    const sealed = await Promise.all(Array.from({ length: 20 }, () => box.seal(PLACE, API_KEY)))
    for (const part of [0, 1] as const) {
      expect(new Set(sealed.map(({ encrypted }) => encrypted.split('.')[part + 2])).size).toBe(20)
    }
  })

  it('opens in its own row only', async () => {
    const box = first()
    const others: KeyPlace[] = [
      { ...PLACE, tenantId: 'evil' },
      { ...PLACE, rowId: 'row-2' },
      { ...PLACE, table: 'provider_keys' },
      { table: 'custom_models', rowId: 'row-1a', tenantId: 'cme' },
      { table: 'custom_modelsr', rowId: 'ow-1', tenantId: 'acme' },
      { table: 'custom_models', rowId: 'acme', tenantId: 'row-1' },
    ]
    const mine = await box.seal(PLACE, API_KEY)
    for (const place of others) {
      const theirs = await box.seal(place, 'sk-their-own')
      expect((await unreadable(box.open(place, mine), mine.encrypted)).message).toMatch(DAMAGED)
      expect((await unreadable(box.open(PLACE, theirs), theirs.encrypted)).message).toMatch(DAMAGED)
    }
  })

  it('opens no mixture of two rows', async () => {
    const box = first()
    const [a, b] = [await box.seal(PLACE, API_KEY), await box.seal({ ...PLACE, rowId: 'row-2' }, 'sk-other')]
    const [[, , wrappedA, textA], [, , wrappedB, textB]] = [a.encrypted.split('.'), b.encrypted.split('.')]
    const mixtures: SealedKey[] = [
      { encrypted: a.encrypted, iv: b.iv },
      { encrypted: `v2.KEK_1.${wrappedA}.${textB}`, iv: a.iv },
      { encrypted: `v2.KEK_1.${wrappedA}.${textB}`, iv: b.iv },
      { encrypted: `v2.KEK_1.${wrappedB}.${textA}`, iv: a.iv },
      { encrypted: `v2.KEK_1.${wrappedB}.${textB}`, iv: b.iv },
    ]
    for (const mixed of mixtures) await unreadable(box.open(PLACE, mixed))
  })

  it('opens nothing of which a single bit is another', async () => {
    const box = both()
    const { encrypted, iv } = await box.seal(PLACE, API_KEY)
    const [, kid = '', wrapped = '', ciphertext = ''] = encrypted.split('.')
    let tried = 0
    const withBits = async (text: string, sealed: (changed: string) => SealedKey) => {
      const bytes = fromBase64Url(text)
      for (let i = 0; i < bytes.length; i++) {
        for (const flip of [0x01, 0x80, 0xff]) {
          const changed = bytes.slice()
          changed[i] = (changed[i] ?? 0) ^ flip
          expect((await unreadable(box.open(PLACE, sealed(toBase64Url(changed))))).message).toMatch(DAMAGED)
          tried += 1
        }
      }
    }
    await withBits(wrapped, (changed) => ({ encrypted: `v2.${kid}.${changed}.${ciphertext}`, iv }))
    await withBits(ciphertext, (changed) => ({ encrypted: `v2.${kid}.${wrapped}.${changed}`, iv }))
    await withBits(iv, (changed) => ({ encrypted, iv: changed }))
    expect(tried).toBe(3 * (40 + API_KEY.length + 16 + 12))
  })

  it('opens nothing of which a character is another, missing or too many', async () => {
    const box = both()
    const sealed = await box.seal(PLACE, API_KEY)
    for (const field of ['encrypted', 'iv'] as const) {
      const text = sealed[field]
      for (let i = 0; i <= text.length; i++) {
        const spoilt = [`${text.slice(0, i)}${text.slice(i + 1)}`, `${text.slice(0, i)}A${text.slice(i)}`]
        for (const replaced of ['A', '.', '=', ' ', '\u0000', 'é'])
          spoilt.push(`${text.slice(0, i)}${replaced}${text.slice(i + 1)}`)
        for (const changed of spoilt) {
          if (changed !== text) await unreadable(box.open(PLACE, { ...sealed, [field]: changed }))
        }
      }
    }
  })

  it.each([
    '',
    'v2',
    'v2.KEK_1',
    '...',
    'v2...',
    'v1.KEK_1.AAAA.AAAA',
    'v3.KEK_1.a.b',
    'v2.KEK_1.a.b.c',
    API_KEY,
    `v2.<script>.${'A'.repeat(54)}.AAAA`,
    `v2.${'K'.repeat(33)}.${'A'.repeat(54)}.AAAA`,
  ])('takes "%s" for damaged', async (encrypted) => {
    for (const work of [
      first().open(PLACE, { encrypted, iv: 'AAAAAAAAAAAAAAAA' }),
      first().rewrap({ encrypted, iv: '' }),
    ])
      expect((await unreadable(work, '<script>')).message).toMatch(DAMAGED)
  })

  it('never repeats an IV in 100,000 encryptions', async () => {
    const box = first()
    const seen = new Set<string>()
    const started = performance.now()
    for (let i = 0; i < 100; i++) {
      const batch = await Promise.all(Array.from({ length: 1_000 }, () => box.seal(PLACE, API_KEY)))
      for (const { iv } of batch) seen.add(iv)
    }
    console.log(`100,000 seals in ${((performance.now() - started) / 1_000).toFixed(1)} s`)
    expect(seen.size).toBe(100_000)
  }, 120_000)

  it('shows nothing of its keys', async () => {
    const box = both()
    await box.seal(PLACE, API_KEY)
    const shown = `${JSON.stringify(box)} ${inspect(box, { depth: 9, showHidden: true })} ${Object.keys(box)}`
    for (const secret of Object.values(SECRETS)) {
      expect(shown).not.toContain(secret)
      expect(shown).not.toContain(fromBase64Url(secret).slice(0, 4).join(', '))
    }
  })
})

describe('rotation', () => {
  const rows = Array.from({ length: 25 }, (_, i) => ({
    place: { table: 'custom_models', rowId: `row-${i}`, tenantId: `tenant-${i % 3}` },
    apiKey: `sk-${i}`,
  }))

  it('reads under the old KEK until all is wrapped anew; then that one may go', async () => {
    const stored = await Promise.all(rows.map(({ place, apiKey }) => first().seal(place, apiKey)))
    const opened = (box: KeyBox) =>
      Promise.all(rows.map(({ place }, i) => box.open(place, stored[i] as SealedKey)))
    const keys = rows.map(({ apiKey }) => apiKey)
    const before = [...stored]
    const box = both()
    for (const [i, sealed] of before.entries()) {
      expect(await opened(box)).toEqual(keys)
      const anew = await box.rewrap(sealed)
      if (!anew) throw new Error('was wrapped under the new one already')
      stored[i] = anew
      expect([anew.iv, anew.encrypted.split('.')[3]]).toEqual([sealed.iv, sealed.encrypted.split('.')[3]])
      expect(anew.encrypted.split('.')[1]).toBe('KEK_2')
      expect(anew.encrypted.split('.')[2]).not.toBe(sealed.encrypted.split('.')[2])
    }
    expect(await opened(second())).toEqual(keys)
    // What ended half-way can simply be run again.
    for (const sealed of stored) expect(await box.rewrap(sealed)).toBeUndefined()
    for (const [i, { place }] of rows.entries())
      await unreadable(second().open({ ...place, tenantId: 'evil' }, stored[i] as SealedKey))
  })

  it('says which secret is missing when the old KEK went too early, and reads again once it is back', async () => {
    const sealed = await first().seal(PLACE, API_KEY)
    for (const work of [second().open(PLACE, sealed), second().rewrap(sealed)]) {
      const error = await unreadable(work, sealed.encrypted, sealed.iv)
      expect(error.message).toBe(
        'A stored provider key is sealed under the secret KEK_1, which this gateway does not have.',
      )
      expect(error.tip).toMatch(/set KEK_1 again.*rotate-keys/)
    }
    expect(await both().open(PLACE, sealed)).toBe(API_KEY)
  })

  it('tells a KEK of the same name and another value from damage to nothing', async () => {
    const sealed = await first().seal(PLACE, API_KEY)
    const impostor = boxOf({ KEK_1: random32(), KEK_2: SECRETS.KEK_2 })
    for (const work of [impostor.open(PLACE, sealed), impostor.rewrap(sealed)])
      expect((await unreadable(work)).message).toMatch(DAMAGED)
  })

  it('goes back as it came: the highest number is current, whatever the order', async () => {
    const box = boxOf({
      KEK_10: random32(),
      KEK_9: random32(),
      KEK_1: SECRETS.KEK_1,
      KEK_2: undefined,
      OTHER: 'x',
    })
    expect((await box.seal(PLACE, API_KEY)).encrypted).toMatch(/^v2\.KEK_10\./)
  })
})

describe('key encryption keys that are none', () => {
  const weak = toBase64Url(new Uint8Array(32).fill(7))
  it.each<[string, Readonly<Record<string, unknown>>, string]>([
    ['none', {}, 'KEK_1'],
    ['only other names', { KEK: random32(), KEY_1: random32(), KEK_OLD: random32() }, 'KEK_1'],
    ['an empty one', { KEK_1: '' }, 'KEK_1'],
    ['an empty one beside a good one', { ...SECRETS, KEK_3: '' }, 'KEK_3'],
    ['one that is short', { KEK_1: SECRETS.KEK_1.slice(0, 42) }, 'KEK_1'],
    ['one that is long', { KEK_1: `${SECRETS.KEK_1}AAAA` }, 'KEK_1'],
    ['hexadecimal digits', { KEK_1: '7f'.repeat(32) }, 'KEK_1'],
    ['plain base64', { KEK_1: `${'+/'.repeat(21)}A=` }, 'KEK_1'],
    ['a line break behind it', { KEK_1: `${SECRETS.KEK_1}\n` }, 'KEK_1'],
    ['one byte over and over', { KEK_1: weak }, 'KEK_1'],
    ['a number', { KEK_1: 7 }, 'KEK_1'],
    ['the same twice', { KEK_1: SECRETS.KEK_1, KEK_2: SECRETS.KEK_1 }, 'KEK_2'],
    ['a leading zero', { KEK_01: random32() }, 'KEK_01'],
    ['number zero', { KEK_0: random32() }, 'KEK_0'],
  ])('are refused by name, never by value: %s', (_, secrets, name) => {
    const made = () => keksFrom(secrets)
    expect(made).toThrow(expect.objectContaining({ code: 'misconfigured', status: 500 }))
    expect(made).toThrow(new RegExp(`the secret ${name} `))
    for (const value of Object.values(secrets)) if (value) expect(made).not.toThrow(String(value))
  })

  it('are refused by the box itself, too', () => {
    const good = new Uint8Array(32)
    for (const [keks, kid] of [
      [new Map(), 'KEK_1'],
      [new Map([['KEK_1', good]]), 'KEK_2'],
      [new Map([['KEK_1', good.slice(1)]]), 'KEK_1'],
      [new Map([['KEK.1', good]]), 'KEK.1'],
    ] as const)
      expect(() => new KeyBox(keks, kid)).toThrow(expect.objectContaining({ code: 'misconfigured' }))
  })
})
