import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { seededRandom } from '../../scripts/seeded-random.ts'
import { uuidv7 } from '../../src/core/ids.ts'
import { HistoryReader } from '../../src/dashboard/history-reader.ts'
import { LIVE_ONLY } from '../../src/dashboard/history-words.ts'
import { TABS } from '../../src/dashboard/tabs.ts'
import { LONG_RANGES } from '../../src/dashboard/view.ts'
import { startTestSupabase, supabaseClient, type TestDatabase } from '../support/stores.ts'
import { clientOf, KEEPER, member, RECORDER } from './clients.ts'
import { EXPECTED, type Figures, type Raw, rawRows } from './dashboard-figures.ts'
import { predictionRow, seededUuid, TENANT_A, TENANT_B } from './rows.ts'
import { record, seed } from './seed.ts'

// The questions of docs/dashboards-sql.md, and the page's longer times, against figures added up by hand.

const HOUR_MS = 3_600_000
const NOW_MS = Date.now()
const LABELS = ['starts_at', 'mode', 'name', 'type', 'tier', 'at_most']

const guide = await readFile(join(import.meta.dirname, '../../docs/dashboards-sql.md'), 'utf8')
const panels = [...guide.matchAll(/^\| ([PCKS]\d+) ([^|]+) \| ([^|]+) \| ([^|]+) \|$/gm)].map(
  ([, code = '', title = '', view = '', answer = '']) => ({
    code,
    title,
    view: view.replaceAll('`', ''),
    sql: /^`(.+)`$/.exec(answer)?.[1],
    answer,
  }),
)
const asked = panels.flatMap(({ code, sql }) => (sql ? [[code, sql] as const] : []))

let supabase: TestDatabase
let raw: Raw

beforeAll(async () => {
  // The embedded database prints every refusal.
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
  supabase = await startTestSupabase()
  await seed(supabase, 7, NOW_MS)
  await troubles()
  await supabase.sql(
    `insert into llm_cache (tenant_id, key, sealed, bytes, expires_at) values
      ('${TENANT_A}', '${'k'.repeat(43)}', 's', 12, now() + interval '1 hour'),
      ('${TENANT_B}', '${'l'.repeat(43)}', 's', 30, now() - interval '1 hour')`,
  )
  await clientOf(supabase, KEEPER)
    .rpc('roll_up', { stored_from: '-infinity', stored_to: 'infinity' })
    .throwOnError()
  raw = await rawRows(supabase)
})
afterAll(() => supabase?.close())

/** Fallbacks, resends to the same model, and calls that nobody has a price for. */
async function troubles(): Promise<void> {
  const random = seededRandom(8)
  const rows = Array.from({ length: 40 }, (_, i) => {
    const atMs = NOW_MS - Math.floor(random() * 48 * HOUR_MS)
    return predictionRow(i % 3 === 0 ? TENANT_B : TENANT_A, atMs, {
      id: uuidv7(atMs, seededUuid(random)),
      mode: 1 + (i % 4),
      model: i % 2 === 0 ? 'custom:mine' : 'openai:gpt-4o-mini',
      provider: i % 2 === 0 ? 'custom' : 'openai',
      attempts: i % 5 === 0 ? 1 : 2,
      features: i % 7 === 0 ? {} : { failures: ['overloaded'] },
      outcome: i % 11 === 0 ? 'cancelled' : 'success',
    })
  })
  const recorder = clientOf(supabase, RECORDER)
  await record(recorder, 'ml_predictions', rows)
  await record(
    recorder,
    'ledger_attempts',
    rows.map(({ id, tenant_id, created_at, model, provider }, i) => ({
      prediction_id: id,
      attempt: 1,
      tenant_id,
      created_at,
      model,
      provider,
      result: i % 4 === 0 ? 'failed' : 'answered',
      total_ms: 5,
      cost_usd: 0,
      priced_by: i % 3 === 0 ? 'list' : 'unpriced',
    })),
    'prediction_id,attempt',
  )
}

const text = (name: string, value: unknown): string =>
  name === 'starts_at' ? new Date(value as string).toISOString() : String(value)

async function ask(sql: string): Promise<Figures> {
  const figures: Figures = new Map()
  for (const row of await supabase.sql(sql)) {
    const entries = Object.entries(row)
    const labels = entries.filter(([name]) => LABELS.includes(name)).map((each) => text(...each))
    for (const [name, value] of entries)
      if (!LABELS.includes(name) && value !== null) figures.set(`${labels.join('|')} ${name}`, Number(value))
  }
  return figures
}

/** To ten digits: sums of floating-point numbers depend on their order. */
const rounded = (figures: Figures) =>
  Object.fromEntries([...figures].map(([name, value]) => [name, value.toPrecision(10)]).sort())

describe('the table of docs/dashboards-sql.md', () => {
  it('has every panel of the four dashboards, by its name', () => {
    const ours = TABS.filter(({ code }) => 'PCKS'.includes(code)).flatMap((tab) => tab.panels)
    expect(ours).toHaveLength(43)
    expect(panels.map(({ code, title }) => `${code} ${title}`)).toEqual(
      ours.map(({ code, title }) => `${code} ${title}`),
    )
  })

  it('has a question for what is stored, and a reason for the rest', () => {
    // Of these three the database knows a part, or the page would read too much.
    const inPart = ['C3', 'C4', 'C5']
    const liveOnly = panels.filter(({ sql }) => sql === undefined)
    expect(liveOnly.map(({ code }) => code).sort()).toEqual(
      Object.keys(LIVE_ONLY)
        .filter((code) => !inPart.includes(code))
        .sort(),
    )
    for (const { answer, view } of liveOnly)
      expect([answer, view]).toEqual([expect.stringMatching(/^Live only: /), '–'])
    expect(asked.map(([code]) => code).sort()).toEqual(Object.keys(EXPECTED).sort())
    for (const { sql, view } of panels) if (sql) expect(sql).toContain(`from ${view}`)
  })

  it.each(asked)('%s says what the raw rows say: %s', async (code, sql) => {
    const expected = EXPECTED[code]?.(raw) as Figures
    expect(expected.size).toBeGreaterThan(0)
    expect(rounded(await ask(sql))).toEqual(rounded(expected))
  })
})

describe('longer times of the page', () => {
  const reader = () => new HistoryReader(() => supabaseClient(supabase), Date.now)
  const facts = (where: (fact: Raw['facts'][number]) => boolean = () => true) =>
    raw.facts.filter(where).reduce((sum, { times }) => sum + times, 0)

  it('hold every request once, in steps and all together', async () => {
    for (const minutes of LONG_RANGES) {
      const history = await reader().read({ minutes, filter: {} })
      const fromMs = Math.floor(history.atMs / HOUR_MS) * HOUR_MS - minutes * 60_000
      const { times, figures } = history
      const [row] = figures.P1 ?? []
      const stepsS = times.map((end, i) => end - (times[i - 1] ?? fromMs / 1_000))
      const inSteps = (row?.points ?? []).reduce<number>(
        (sum, rate, i) => sum + (rate ?? 0) * (stepsS[i] ?? 0),
        0,
      )
      const inAll = (row?.now ?? 0) * ((times.at(-1) ?? 0) - fromMs / 1_000)
      const stored = facts(({ hour }) => hour >= fromMs)
      expect(inAll).toBeCloseTo(stored, 5)
      // A step that has hardly begun has no speed yet.
      if ((stepsS.at(-1) ?? 0) >= 180) expect(inSteps).toBeCloseTo(stored, 5)
      expect(times.every((time, i) => i === 0 || time > (times[i - 1] ?? 0))).toBe(true)
    }
  })

  it('say of a month what the questions say of all', async () => {
    const { figures } = await reader().read({ minutes: 43_200, filter: {} })
    for (const code of ['P6', 'P7', 'P11', 'P12', 'C6', 'K2', 'K4', 'K8', 'K9', 'K11']) {
      const told = figures[code]?.map(({ labels, now }) => [
        `${labels.map((label) => (label === 'none' ? '0' : label)).join('|')} value`,
        now,
      ])
      const expected = [...(EXPECTED[code]?.(raw) ?? [])].filter(([, value]) => value > 0)
      expect(rounded(new Map(told as [string, number][])), code).toEqual(rounded(new Map(expected)))
    }
    expect(figures.P9?.[0]?.now).toBeGreaterThan(0)
    expect(figures.S6?.map(({ labels }) => labels[0]).sort()).toEqual(['uncounted', 'unpriced'])
  })

  it('are of what is chosen, and of nothing where that is not there', async () => {
    const chosen = [
      [{ mode: '2' }, facts(({ mode }) => mode === 2)],
      [{ model: 'mine' }, facts(({ model }) => model === 'custom:mine')],
      [{ model: 'custom:mine' }, facts(({ model }) => model === 'custom:mine')],
      [{ tenant: 'other' }, facts(({ tenant }) => tenant === 'other')],
      [{ mode: '1', tenant: 'acme' }, facts(({ mode, tenant }) => mode === 1 && tenant === 'acme')],
      [{ mode: '99999' }, 0],
      [{ tenant: "acme' or true --" }, 0],
      [{ model: '%' }, 0],
    ] as const
    for (const [filter, count] of chosen) {
      const { figures, choices } = await reader().read({ minutes: 10_080, filter })
      const inModes = figures.P7?.reduce((sum, { now }) => sum + (now ?? 0), 0)
      expect([filter, inModes]).toEqual([filter, count])
      expect(figures.P1).toHaveLength(count > 0 ? 1 : 0)
      // Whatever is chosen, another can be.
      expect(choices).toEqual({
        mode: ['1', '2', '3', '4'],
        model: ['claude-haiku', 'gpt-4o-mini', 'mine'],
        tenant: ['acme', 'other'],
      })
    }
  })

  it('are complete up to where the keeper came', async () => {
    expect((await reader().read({ minutes: 1_440, filter: {} })).summedToMs).toBeNull()
    const through = new Date(NOW_MS - 5 * HOUR_MS).toISOString()
    await supabase.sql(
      `insert into upkeep (job, ran_at, took_ms, result) values ('roll_up', now(), 1, '{"through": "${through}"}')`,
    )
    const { summedToMs, times } = await reader().read({ minutes: 1_440, filter: {} })
    expect(summedToMs).toBe(Date.parse(through))
    expect(times.at(-1)).toBe(Date.parse(through) / 1_000)
  })

  it('count what a tenant left behind that is erased, under no name of its own', async () => {
    const gone = crypto.randomUUID()
    await supabase.sql(
      `insert into roll_up_hours select '${gone}', date_trunc('hour', now(), 'UTC'), mode, model, provider, outcome, cache,
        cache_tier, cache_match, 5000, streams, input_tokens, output_tokens, estimated, 77, saved_usd, total_ms,
        upstream_ms, first_byte_ms, total_buckets, upstream_buckets, first_byte_buckets
       from roll_up_hours limit 1`,
    )
    await supabase.sql(`delete from upkeep`)
    const { figures, choices } = await reader().read({ minutes: 1_440, filter: {} })
    expect(figures.P12?.[0]).toEqual({ labels: ['(erased)'], now: 5_000 })
    expect(figures.K9?.[0]).toEqual({ labels: ['(erased)'], now: 77 })
    expect(choices.tenant).toEqual(['acme', 'other'])
    await supabase.sql(`delete from roll_up_hours where tenant_id = '${gone}'`)
  })

  it('are for the service alone', async () => {
    for (const claims of [member(TENANT_A), KEEPER, RECORDER, undefined]) {
      const theirs = new HistoryReader(() => clientOf(supabase, claims), Date.now)
      await expect(theirs.read({ minutes: 1_440, filter: {} })).rejects.toMatchObject({ code: '42501' })
    }
  })
})
