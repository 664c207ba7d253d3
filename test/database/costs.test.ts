import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../../scripts/seeded-random.ts'
import { uuidv7 } from '../../src/core/ids.ts'
import { type CostLine, type CostQuestion, type Costs, totalsOf } from '../../src/cost/costs.ts'
import { slotsOf } from '../../src/cost/costs-outlook.ts'
import { SupabaseCosts } from '../../src/cost/supabase-costs.ts'
import { onEachDatabase } from '../support/databases.ts'
import { supabaseClient, type TestDatabase } from '../support/stores.ts'
import { foldedRow, predictionRow, seededUuid, TENANT_A, TENANT_B } from './rows.ts'
import { record } from './seed.ts'

const SEED = Number(process.env.SEED ?? 36)
const NOW = Date.parse('2026-11-21T12:00:00Z')
const DAY_MS = 86_400_000
const MODELS = ['openai:gpt-4o', 'custom:mine', '=cmd()']
const KEYS = ['01890000-0000-4000-8000-00000000000c', '01890000-0000-4000-8000-00000000000d']
const USERS = ['u'.repeat(43), 'v'.repeat(43)]
const DIMENSIONS = [
  'key',
  'user',
  'model',
  'task',
  'mode',
  'day',
  'hour',
  'tag:team',
  'tag:feature',
  'tenant',
]

const nanoOf = (text: string): bigint => BigInt(text.replace('.', ''))
const usd = (nano: number): string => (nano / 1e9).toFixed(9)
const sumOf = (lines: readonly CostLine[], column: 'cost_usd' | 'saved_by_cache_usd' = 'cost_usd'): bigint =>
  lines.reduce((sum, line) => sum + nanoOf(line[column]), 0n)

onEachDatabase((start) => {
  let supabase: TestDatabase
  let store: SupabaseCosts
  const random = seededRandom(SEED)
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T
  const service = () => supabaseClient(supabase)
  const paid: Record<string, { nano: bigint; requests: number }> = {}

  /** One request with its calls, and most of the time what is known of it elsewhere. */
  function request(tenantId: string, atMs: number, more: { nano?: number; tags?: object } = {}) {
    const id = uuidv7(atMs, seededUuid(random))
    const created_at = new Date(atMs).toISOString()
    const costs =
      more.nano === undefined
        ? Array.from({ length: pick([1, 1, 2, 3]) }, () => Math.floor(random() * 1e9))
        : [more.nano]
    const tags =
      more.tags ?? pick([{}, { team: 'search' }, { team: 'ads', feature: '=1+1' }, { feature: 'x' }])
    const sum = costs.reduce((a, b) => a + b, 0)
    const key_id = pick([...KEYS, null])
    const { nano, requests } = paid[tenantId] ?? { nano: 0n, requests: 0 }
    paid[tenantId] = { nano: nano + BigInt(sum), requests: requests + 1 }
    return {
      ledger: {
        prediction_id: id,
        tenant_id: tenantId,
        key_id,
        created_at,
        cost_usd: usd(sum),
        unpriced: false,
        tags,
        baseline_model: random() < 0.5 ? 'openai:dear' : null,
      },
      attempts: costs.map((nano, index) => ({
        prediction_id: id,
        attempt: index + 1,
        tenant_id: tenantId,
        created_at,
        model: pick(MODELS),
        provider: 'p',
        result: index === costs.length - 1 ? 'answered' : 'failed',
        total_ms: 1,
        input_tokens: 10,
        output_tokens: 3,
        tokens_estimated: random() < 0.2,
        cost_usd: usd(nano),
        priced_by: nano === 0 ? 'unpriced' : 'list',
      })),
      prediction: predictionRow(tenantId, atMs, {
        id,
        key_id,
        tags,
        user_hash: pick([...USERS, null]),
        task: pick(['chat', 'code', null]),
        mode: pick([1, 2, null]),
      }),
    }
  }
  const hit = (tenantId: string, atMs: number, savedNano: number) =>
    predictionRow(tenantId, atMs, {
      cache: 'hit',
      cost_usd: '0',
      saved_usd: usd(savedNano),
      tags: { team: 'search' },
    })

  beforeAll(async () => {
    supabase = await start()
    store = new SupabaseCosts(service, () => NOW)
    await supabase.sql(
      `insert into tenants (id, name, time_zone) values ('${TENANT_A}', 'acme', 'America/New_York'), ('${TENANT_B}', 'other', 'Asia/Tokyo')`,
    )
    const made = [TENANT_A, TENANT_B].flatMap((tenant) =>
      Array.from({ length: 120 }, () => request(tenant, NOW - Math.floor(random() * 25 * DAY_MS))),
    )
    const ledger = made.map(({ ledger: row }) => ({ ...row, baseline_usd: row.baseline_model && '1.5' }))
    await record(service(), 'ledger', ledger, 'prediction_id')
    await record(
      service(),
      'ledger_attempts',
      made.flatMap(({ attempts }) => attempts),
      'prediction_id,attempt',
    )
    // What is older than predictions are kept stays in the ledger.
    await record(
      service(),
      'ml_predictions',
      made.flatMap(({ prediction }) => (random() < 0.8 ? [prediction] : [])),
    )
    await record(service(), 'ml_predictions', [
      hit(TENANT_A, NOW - DAY_MS, 7),
      hit(TENANT_A, NOW - 2 * DAY_MS, 5),
    ])
    await record(service(), 'prediction_minutes', [
      foldedRow(TENANT_A, NOW - DAY_MS, { saved_usd: usd(30), requests: 4 }),
    ])
    // Never part of the gateway's own sums.
    await supabase.sql(
      `insert into ledger (prediction_id, tenant_id, created_at, cost_usd, source) values (gen_random_uuid(), '${TENANT_A}', '2026-11-20T00:00:00Z', 99, 'reported')`,
    )
  })
  afterAll(() => supabase?.close())

  const ask = async (more: Partial<CostQuestion> = {}): Promise<Costs> => {
    const question = {
      tenantId: TENANT_A,
      firstDay: '2026-10-24',
      lastDay: '2026-11-21',
      dimensions: [],
      top: 100,
    }
    const costs = await store.costs({ ...question, ...more })
    if (!costs) throw new Error('no costs')
    return costs
  }
  const ledgerNano = async (where: string) => {
    const [row] = await supabase.sql<{ usd: string }>(
      `select round(coalesce(sum(cost_usd), 0), 9)::text as usd from ledger where source = 'gateway' and ${where}`,
    )
    return nanoOf(row?.usd ?? '0')
  }

  describe(`costs (seed ${SEED})`, () => {
    it('are those of the ledger, by whatever they are counted, to the billionth', async () => {
      const costs = await ask({ dimensions: DIMENSIONS })
      const { nano, requests } = paid[TENANT_A] ?? { nano: 0n, requests: 0 }
      expect(nano).toBe(await ledgerNano(`tenant_id = '${TENANT_A}'`))
      const totals = totalsOf(costs)
      expect([nanoOf(totals.cost_usd), totals.requests]).toEqual([nano, requests])
      expect([totals.cache_hits, totals.saved_by_cache_usd]).toEqual([6, '0.000000042'])
      for (const dimension of DIMENSIONS) {
        const lines = costs.sums[dimension] ?? []
        expect([dimension, sumOf(lines), sumOf(lines, 'saved_by_cache_usd')]).toEqual([dimension, nano, 42n])
        for (const column of ['requests', 'calls', 'input_tokens', 'estimated_calls', 'cache_hits'] as const)
          expect(lines.reduce((sum, line) => sum + line[column], 0)).toBe(totals[column])
        if (dimension !== 'tenant') expect(lines.length).toBeGreaterThan(1)
      }
      expect(costs.sums.tenant?.map(({ value }) => value)).toEqual(['acme'])
    })

    it('by each value are what SQL says of it', async () => {
      const costs = await ask({ dimensions: ['key', 'tag:team', 'day', 'model'] })
      for (const { value, cost_usd } of costs.sums.key ?? [])
        expect(nanoOf(cost_usd)).toBe(
          await ledgerNano(
            `tenant_id = '${TENANT_A}' and key_id is not distinct from ${value ? `'${value}'` : 'null'}`,
          ),
        )
      for (const { value, cost_usd } of costs.sums['tag:team'] ?? [])
        expect(nanoOf(cost_usd)).toBe(
          await ledgerNano(
            `tenant_id = '${TENANT_A}' and tags ->> 'team' is not distinct from ${value ? `'${value}'` : 'null'}`,
          ),
        )
      for (const { value, cost_usd } of costs.sums.day ?? [])
        expect(nanoOf(cost_usd)).toBe(
          await ledgerNano(
            `tenant_id = '${TENANT_A}' and (created_at at time zone 'America/New_York')::date = '${value}'`,
          ),
        )
      const models = await supabase.sql<{ model: string; usd: string }>(
        `select model, round(sum(cost_usd), 9)::text as usd from ledger_attempts where tenant_id = '${TENANT_A}' group by 1`,
      )
      for (const { model, usd: sum } of models)
        expect(costs.sums.model?.find(({ value }) => value === model)?.cost_usd).toBe(sum)
    })

    it('by tag count a request under each of its own', async () => {
      const { tag = [] } = (await ask({ dimensions: ['tag'] })).sums
      expect(tag.map(({ value }) => value).sort()).toEqual(
        [null, 'feature==1+1', 'feature=x', 'team=ads', 'team=search'].sort(),
      )
      const of = (name: string) => tag.find(({ value }) => value === name)?.cost_usd
      expect(of('team=ads')).toBe(of('feature==1+1'))
    })

    it('beyond the dearest are one line that says how many it is', async () => {
      const {
        hour: hours = [],
        day = [],
        model = [],
      } = (await ask({ dimensions: ['day', 'model'], top: 1 })).sums
      expect(hours).toEqual([])
      expect(model.map(({ others }) => others)).toEqual([0, MODELS.length])
      expect(model[1]?.value).toBeNull()
      expect(sumOf(model)).toBe(sumOf(day))
      expect(day.every(({ others, value }) => others === 0 && value !== null)).toBe(true)
      expect(day.map(({ value }) => value)).toEqual(day.map(({ value }) => value).sort())
    })

    it('are nobody else’s, and all together only where nobody is named', async () => {
      const [own, theirs, all] = await Promise.all([
        ask(),
        ask({ tenantId: TENANT_B }),
        ask({ tenantId: undefined, dimensions: ['tenant'] }),
      ])
      expect([own.tenant, theirs.tenant, all.tenant]).toEqual(['acme', 'other', null])
      expect(nanoOf(totalsOf(theirs).cost_usd)).toBe(paid[TENANT_B]?.nano)
      expect(totalsOf(theirs).cache_hits).toBe(0)
      expect(nanoOf(totalsOf(all).cost_usd)).toBe((paid[TENANT_A]?.nano ?? 0n) + (paid[TENANT_B]?.nano ?? 0n))
      expect(all.time_zone).toBe('UTC')
      expect(all.sums.tenant?.map(({ value, cost_usd }) => [value, cost_usd]).sort()).toEqual([
        ['acme', totalsOf(own).cost_usd],
        ['other', totalsOf(theirs).cost_usd],
      ])
      expect(totalsOf(await ask({ tenantId: crypto.randomUUID() }))).toMatchObject({
        requests: 0,
        cost_usd: '0.000000000',
      })
    })

    it('are compared with the named model, request by request', async () => {
      const { baselines } = await ask()
      const [row] = await supabase.sql<{ n: number; usd: string }>(
        `select count(*)::int as n, round(sum(cost_usd), 9)::text as usd from ledger where tenant_id = '${TENANT_A}' and baseline_model is not null`,
      )
      const baseline = BigInt(row?.n ?? 0) * 1_500_000_000n
      expect(baselines).toMatchObject([{ model: 'openai:dear', requests: row?.n, cost_usd: row?.usd }])
      expect(nanoOf(baselines[0]?.baseline_usd ?? '')).toBe(baseline)
      expect(nanoOf(baselines[0]?.saved_usd ?? '')).toBe(baseline - nanoOf(row?.usd ?? ''))
    })

    it('of the days before are those of as long as these have lasted', async () => {
      const { before, ends_at } = await ask({ firstDay: '2026-11-20', lastDay: '2026-11-21' })
      expect([before.starts_at, before.ends_at, ends_at]).toEqual([
        '2026-11-18T05:00:00Z',
        '2026-11-19T12:00:00Z',
        '2026-11-22T05:00:00Z',
      ])
      expect(nanoOf(before.cost_usd)).toBe(
        await ledgerNano(
          `tenant_id = '${TENANT_A}' and created_at >= '${before.starts_at}' and created_at < '${before.ends_at}'`,
        ),
      )
    })

    it('are of the current month unless asked, and of 400 days at most', async () => {
      const { first_day, last_day, starts_at } = await ask({ firstDay: undefined, lastDay: undefined })
      expect([first_day, last_day, starts_at]).toEqual(['2026-11-01', '2026-11-21', '2026-11-01T04:00:00Z'])
      const none = (more: Partial<CostQuestion>) => expect(ask(more)).rejects.toThrow('no costs')
      await ask({ firstDay: '2025-10-18' })
      await none({ firstDay: '2025-10-17' })
      await none({ firstDay: '0001-01-01', lastDay: undefined })
      await none({ firstDay: '2026-11-22', lastDay: '2026-11-21' })
      await none({ firstDay: '2026-10-20', dimensions: ['hour'] })
    })

    it('beyond the calls that they are for are of no model', async () => {
      const atMs = Date.parse('2026-09-01T12:00:00Z')
      const { ledger } = request(TENANT_B, atMs, { nano: 5 })
      await record(service(), 'ledger', [{ ...ledger, baseline_model: null }], 'prediction_id')
      const { sums } = await ask({
        tenantId: TENANT_B,
        firstDay: '2026-09-01',
        lastDay: '2026-09-01',
        dimensions: ['model'],
      })
      expect(sums.model).toMatchObject([{ value: null, requests: 1, calls: 0, cost_usd: '0.000000005' }])
    })
  })

  describe('a time zone', () => {
    const add = async (tenantId: string, at: string) => {
      const { ledger, attempts } = request(tenantId, Date.parse(at), { nano: 1_000 })
      await record(service(), 'ledger', [{ ...ledger, baseline_model: null }], 'prediction_id')
      await record(service(), 'ledger_attempts', attempts, 'prediction_id,attempt')
    }

    it('says whose day it is: 23:30 of London’s winter is tomorrow in Tokyo', async () => {
      await add(TENANT_B, '2026-01-15T23:30:00Z')
      await add(TENANT_B, '2026-01-15T14:59:59.999Z')
      const days = async (tenantId: string | undefined, firstDay: string, lastDay: string) =>
        (await ask({ tenantId, firstDay, lastDay, dimensions: ['day'] })).sums.day?.map(
          ({ value, requests }) => [value, requests],
        )
      expect(await days(TENANT_B, '2026-01-15', '2026-01-16')).toEqual([
        ['2026-01-15', 1],
        ['2026-01-16', 1],
      ])
      expect(await days(TENANT_B, '2026-01-16', '2026-01-16')).toEqual([['2026-01-16', 1]])
      expect(await days(undefined, '2026-01-15', '2026-01-16')).toEqual([['2026-01-15', 2]])
    })

    it('has days of 23 and of 25 hours, and two hours of one name', async () => {
      // New York: 2026-03-08 has no two o'clock, 2026-11-01 has one o'clock twice.
      const spring = await ask({ firstDay: '2026-03-08', lastDay: '2026-03-08' })
      expect([spring.starts_at, spring.ends_at]).toEqual(['2026-03-08T05:00:00Z', '2026-03-09T04:00:00Z'])
      for (const at of [
        '2026-03-08T04:59:59Z',
        '2026-03-08T06:59:59Z',
        '2026-03-08T07:00:00Z',
        '2026-03-09T03:59:59Z',
        '2026-03-09T04:00:00Z',
      ])
        await add(TENANT_A, at)
      const hours = async (day: string) =>
        (await ask({ firstDay: day, lastDay: day, dimensions: ['hour'] })).sums.hour?.map(
          ({ value }) => value,
        )
      expect(await hours('2026-03-08')).toEqual([
        '2026-03-08T06:00:00Z',
        '2026-03-08T07:00:00Z',
        '2026-03-09T03:00:00Z',
      ])
      const autumn = await ask({ firstDay: '2025-11-02', lastDay: '2025-11-02' })
      expect([autumn.starts_at, autumn.ends_at]).toEqual(['2025-11-02T04:00:00Z', '2025-11-03T05:00:00Z'])
      for (const at of ['2025-11-02T05:30:00Z', '2025-11-02T06:30:00Z']) await add(TENANT_A, at)
      expect(await hours('2025-11-02')).toEqual(['2025-11-02T05:00:00Z', '2025-11-02T06:00:00Z'])
    })

    it('of half an hour has hours that begin at half past', async () => {
      await supabase.sql(`update tenants set time_zone = 'Asia/Kolkata' where id = '${TENANT_B}'`)
      await add(TENANT_B, '2026-02-01T20:10:00Z')
      const { sums } = await ask({
        tenantId: TENANT_B,
        firstDay: '2026-02-02',
        lastDay: '2026-02-02',
        dimensions: ['hour'],
      })
      expect(sums.hour?.map(({ value }) => value)).toEqual(['2026-02-01T19:30:00Z'])
    })

    it('is kept where the database knows it', async () => {
      expect(await store.setTimeZone(TENANT_B, 'Europe/Berlin')).toBe(true)
      expect((await ask({ tenantId: TENANT_B })).time_zone).toBe('Europe/Berlin')
      expect(await store.setTimeZone(TENANT_B, 'Europe/Atlantis')).toBe(false)
      expect((await ask({ tenantId: TENANT_B })).time_zone).toBe('Europe/Berlin')
    })
  })

  it('the history is what was spent, slot by slot, up to the last one that is over', async () => {
    const history = await store.history(TENANT_A, 20, 60)
    const slots = slotsOf(history)
    const first = history.spent[0]?.[0] ?? 0
    expect([history.slots, slots.length]).toEqual([480, 480 - first])
    const startsAtMs = NOW - 480 * 3_600_000
    for (const [slot, dollars] of history.spent.slice(0, 20)) {
      const [from, to] = [slot, slot + 1].map((at) => new Date(startsAtMs + at * 3_600_000).toISOString())
      const nano = await ledgerNano(
        `tenant_id = '${TENANT_A}' and created_at >= '${from}' and created_at < '${to}'`,
      )
      expect(Math.round(dollars * 1e9)).toBe(Number(nano))
    }
    expect(new Date(history.day.ends_at).toISOString()).toBe('2026-11-22T05:00:00.000Z')
    expect(new Date(history.month.ends_at).toISOString()).toBe('2026-12-01T05:00:00.000Z')
    expect(nanoOf(history.month.spent_usd)).toBe(
      await ledgerNano(`tenant_id = '${TENANT_A}' and created_at >= '2026-11-01T04:00:00Z'`),
    )
  })
})
