import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { boundTexts } from '../../scripts/price.ts'
import { BOUND_TEXTS } from '../../src/cost/bound-table.ts'
import { bundledTable } from '../../src/cost/price-table.ts'
import { describeWith, hasShared, SHARED_DATA } from '../support/require.ts'
import { ROOT } from '../support/stores.ts'
import { TABLE } from './fixtures.ts'

interface Line {
  readonly index: number
  readonly provider_id: string
  readonly api_flavor: string
  readonly usage: Readonly<Record<string, number>>
  readonly input_price?: number
  readonly output_price?: number
  readonly total_price?: number
}

const folder = mkdtempSync(join(tmpdir(), 'price-'))
const file = (name: string, value: unknown): string => {
  const path = join(folder, name)
  writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value))
  return path
}
const SCRIPT = join(ROOT, 'scripts/price.ts')
const AT = ['--at', '2025-11-06T12:00:00Z']
const price = (...args: string[]): Line[] =>
  execFileSync(process.execPath, [SCRIPT, ...args], { encoding: 'utf8', maxBuffer: 1e8 })
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))

const BODY = {
  model: 'cached',
  usage: { prompt_tokens: 1_000, completion_tokens: 10, prompt_tokens_details: { cached_tokens: 500 } },
}
const chat = [{ extractors: [{ provider_id: 'acme', api_flavor: 'chat' }] }]

describe('npm run price', () => {
  const table = file('table.json', TABLE)

  it('prints what each listed extractor reads, and what that costs', () => {
    const usages = file('usages.json', [{ body: BODY, model: 'cached', extracted: chat }])
    expect(price('--file', usages, '--prices', table, ...AT)).toEqual([
      {
        index: 0,
        provider_id: 'acme',
        api_flavor: 'chat',
        usage: { input_tokens: 1_000, cache_read_tokens: 500, output_tokens: 10 },
        input_price: 0.0011,
        output_price: 0.00008,
        total_price: 0.00118,
      },
    ])
  })

  it('tries every extractor where none is listed, and the model that the body names', () => {
    const usages = file('bare.json', [{ body: BODY }, { body: { text: 'hello' } }])
    expect(price('--file', usages, '--prices', table, ...AT)).toMatchObject([
      { index: 0, provider_id: 'acme', api_flavor: 'chat', input_price: 0.0011 },
      { index: 1, fault: 'no extractor fits the body' },
    ])
  })

  it('flags what it cannot price, and what makes no sense', () => {
    const odd = { model: 'unheard-of', usage: { prompt_tokens: -1, completion_tokens: 10 } }
    const unknown = [{ extractors: [{ provider_id: 'acme', api_flavor: 'none' }] }]
    const usages = file('odd.json', [
      { body: odd, extracted: chat },
      { body: odd, model: 'cached', extracted: chat },
      { body: odd, extracted: unknown },
      7,
    ])
    const lines = price('--file', usages, '--prices', table, ...AT)
    expect(lines).toMatchObject([
      { index: 0, unpriced: true, usage_faults: { input_tokens: 'negative' } },
      { index: 1, input_price: 0, output_price: 0.00008, usage_faults: { input_tokens: 'negative' } },
      { index: 2, fault: 'no such extractor' },
      { index: 3, fault: 'the row is no object' },
    ])
    expect(lines[0]).not.toHaveProperty('input_price')
  })

  it.each([
    [['--file', file('a.txt', 'not json')], /cannot be read as JSON/],
    [['--file', join(folder, 'absent')], /cannot be read as JSON/],
    [['--file', file('o.json', {})], /not a JSON array/],
    [['--file', file('e.json', []), '--at', 'noon'], /no instant/],
    [
      ['--file', file('e.json', []), '--prices', file('t.json', [{ id: 'a', models: [{}] }])],
      /no price table: look at 0\.models/,
    ],
  ])('says what to mend: %j', (args, said) => {
    const { status, stderr } = spawnSync(process.execPath, [SCRIPT, ...args], { encoding: 'utf8' })
    expect([status, stderr]).toEqual([1, expect.stringMatching(said)])
  })

  it('shows its usage without a file', () => {
    expect(spawnSync(process.execPath, [SCRIPT]).status).toBe(2)
  })

  it("made the gateway's table of bounds from the price table that is installed", async () => {
    const texts = boundTexts(await bundledTable())
    const stale = Object.keys(texts).filter((id) => texts[id] !== BOUND_TEXTS[id])
    expect(stale, 'npm run price -- --write-bounds').toEqual([])
    expect(Object.keys(BOUND_TEXTS)).toEqual(Object.keys(texts))
  })
})

describeWith('genai-prices', hasShared('genai-prices/usages.json'), 'the 1,037 recorded answers', () => {
  const data = (name: string) => join(SHARED_DATA, 'genai-prices', name)
  type Expected = {
    usage: Record<string, number>
    extractors: (Line & Record<'input_price' | 'output_price' | 'total_price', string>)[]
  }
  const rows: { body: object; model?: string; extracted: Expected[] }[] = hasShared(
    'genai-prices/usages.json',
  )
    ? JSON.parse(readFileSync(data('usages.json'), 'utf8'))
    : []
  const key = ({ index, provider_id, api_flavor }: Omit<Line, 'usage'>) =>
    `${index} ${provider_id} ${api_flavor}`

  it('give the usage and the price that they should, for every extractor', () => {
    const lines = new Map(
      price('--file', data('usages.json'), '--prices', data('data.json'), ...AT).map((line) => [
        key(line),
        line,
      ]),
    )
    let checked = 0
    for (const [index, { extracted }] of rows.entries()) {
      for (const { usage, extractors } of extracted) {
        for (const wanted of extractors) {
          const name = key({ ...wanted, index })
          const line = lines.get(name)
          for (const unit of new Set([...Object.keys(usage), ...Object.keys(line?.usage ?? {})]))
            expect(line?.usage[unit] ?? 0, `${name} ${unit}`).toBe(usage[unit] ?? 0)
          for (const part of ['input_price', 'output_price', 'total_price'] as const) {
            if (wanted[part] !== undefined)
              expect(
                Math.abs((line?.[part] ?? Number.NaN) - Number(wanted[part])),
                `${name} ${part}`,
              ).toBeLessThan(1e-9)
            else if (part !== 'total_price') expect(line?.[part], `${name} ${part}`).toBeUndefined()
          }
          checked++
        }
      }
    }
    expect(lines.size).toBe(checked)
    console.log(`${rows.length} answers, ${checked} extractors`)
  })

  it('are found to fit the same extractors where none is listed', () => {
    const bare = file(
      'bare-recorded.json',
      rows.map(({ extracted, ...rest }) => rest),
    )
    const wanted = rows.flatMap(({ extracted }, index) =>
      extracted.flatMap(({ extractors }) => extractors.map((each) => key({ ...each, index }))),
    )
    const found = price('--file', bare, '--prices', data('data.json'), ...AT).map(key)
    expect(found.sort()).toEqual(wanted.sort())
  })
})
