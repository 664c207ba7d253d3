import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { JOBS } from '../../workers/scheduler/jobs.ts'
import { type Api, apiAt } from '../support/api.ts'
import { chatBody } from '../support/slots.ts'
import { OPERATOR_TOKEN } from '../support/stores.ts'
import { chat, type Stack, startStack } from '../support/workers.ts'
import { readMetrics } from './metrics-text.ts'

// Each figure changes when what it counts happens, in the whole stack, and stays as it is otherwise.

const TOKEN = 'm'.repeat(43)
const [MINUTE = '', , HOUR = ''] = Object.keys(JOBS)

let stack: Stack
let api: Api
let acme: string

beforeAll(async () => {
  stack = await startStack({ METRICS_TOKEN: TOKEN })
  api = apiAt(stack.url)
  acme = await stack.key('acme', 'paid')
})
afterAll(() => stack?.close())

const read = async () => {
  const { status, text } = await api(TOKEN, 'GET', '/metrics')
  expect(status).toBe(200)
  return readMetrics(text)
}
type Metrics = Awaited<ReturnType<typeof read>>
const eventually = (look: (metrics: Metrics) => unknown) =>
  expect.poll(async () => look(await read()), { timeout: 20_000, interval: 250 })
const isThere = ({ samples }: Metrics, name: string, wanted: Record<string, string> = {}) =>
  samples.some(
    (sample) => sample.name === name && Object.entries(wanted).every(([k, v]) => sample.labels[k] === v),
  )

const ask = async (text: string, more: object = {}, headers: Record<string, string> = {}) => {
  const response = await chat(
    stack.url,
    acme,
    chatBody(text, { model: 'simulated:sim-small', ...more }),
    headers,
  )
  const body = await response.text()
  return { status: response.status, body, predictionId: response.headers.get('x-beast-prediction') ?? '' }
}
/** All that was asked so far is counted, behind the answers too. */
const drained = async () => {
  const before = (await read()).sum('beast_requests_total', { outcome: 'success' })
  await ask('the last word', {}, { 'cache-control': 'no-store' })
  await eventually(({ sum }) => sum('beast_requests_total', { outcome: 'success' })).toBeGreaterThan(before)
  await eventually(({ sum }) => sum('beast_requests_total') - sum('beast_requests_received_total')).toBe(0)
}
const cron = async (when: string) => {
  const scheduler = stack.harness.getWorker('beast-scheduler')
  const { outcome } = await scheduler.scheduled({ cron: when, scheduledTime: new Date() })
  expect(outcome).toBe('ok')
}

describe('what the cache holds', () => {
  it('is nothing that anybody knows of before something is written', async () => {
    await ask('uncached', {}, { 'cache-control': 'no-store' })
    await eventually(({ sum }) => sum('beast_requests_total')).toBe(1)
    for (const tier of ['kv', 'redis', 'supabase'])
      expect(isThere(await read(), 'beast_cache_entries', { tier })).toBe(false)
  })

  it('grows by each write, and not by a hit; an hourly count sets Supabase right', async () => {
    for (const text of ['one', 'two', 'three']) expect((await ask(text)).status).toBe(200)
    await eventually(({ sum }) => sum('beast_cache_entries', { tier: 'supabase' })).toBe(3)
    await eventually(({ sum }) => sum('beast_cache_entries', { tier: 'redis' })).toBe(3)
    const { sum } = await read()
    const [stored] = await stack.supabase.sql<{ bytes: number }>(
      'select sum(bytes)::int as bytes from llm_cache',
    )
    expect(sum('beast_cache_bytes', { tier: 'supabase' })).toBe(stored?.bytes)
    expect(sum('beast_cache_bytes', { tier: 'redis' })).toBe(stored?.bytes)
    expect(isThere(await read(), 'beast_cache_entries', { tier: 'kv' })).toBe(false)
    for (let i = 0; i < 3; i++) await ask('one')
    await eventually((now) => now.sum('beast_cache_lookups_total', { result: 'hit' })).toBe(3)
    expect((await read()).by('beast_cache_entries', 'tier')).toMatchObject({ redis: 3, supabase: 3 })
    // What a tier knows nothing of, and what others removed: until somebody counts.
    await stack.supabase.sql(`delete from llm_cache where key = (select min(key) from llm_cache)`)
    await cron(MINUTE)
    expect((await read()).by('beast_cache_entries', 'tier')).toMatchObject({ supabase: 3 })
    await cron(HOUR)
    const [left] = await stack.supabase.sql<{ bytes: number }>(
      'select sum(bytes)::int as bytes from llm_cache',
    )
    const after = await read()
    expect(after.by('beast_cache_entries', 'tier')).toMatchObject({ redis: 3, supabase: 2 })
    expect(after.sum('beast_cache_bytes', { tier: 'supabase' })).toBe(left?.bytes)
  })
})

describe('probes', () => {
  it('say what answers, and what does not any more', async () => {
    expect((await read()).by('beast_probe_success', 'target')).toEqual({
      gateway: 1,
      kv: 1,
      redis: 1,
      supabase: 1,
      upstream: 1,
    })
  })
})

describe('connections', () => {
  it('are those that are open, streams by themselves', async () => {
    await drained()
    await eventually(({ by }) => by('beast_connections_active', 'kind')).toEqual({
      http: 0,
      sse: 0,
      websocket: 0,
    })
    const slow = '[[sim: rate=2]] at its leisure'
    const opened = await chat(
      stack.url,
      acme,
      chatBody(slow, { model: 'simulated:sim-small', stream: true }),
      { 'cache-control': 'no-store' },
    )
    const reader = opened.body?.getReader()
    await reader?.read()
    await eventually(({ by }) => by('beast_connections_active', 'kind')).toMatchObject({ sse: 1 })
    await reader?.cancel()
    await eventually(({ sum }) => sum('beast_requests_total', { outcome: 'cancelled' })).toBe(1)
    await eventually(({ by }) => by('beast_connections_active', 'kind')).toMatchObject({ http: 0, sse: 0 })
  })

  it('to stores and providers are told beside what the platform allows', async () => {
    const { by, sum } = await read()
    expect(by('beast_pool_max_connections', 'pool')).toEqual({ kv: 6, redis: 6, supabase: 6, upstream: 6 })
    for (const pool of ['kv', 'redis', 'supabase', 'upstream'])
      expect(sum('beast_pool_connections', { pool })).toBe(6)
    // One that waits for its answer is in use, when a batch goes meanwhile.
    const waiting = ask('[[sim: latency=6000]] slow', {}, { 'cache-control': 'no-store' })
    await ask('quick')
    await eventually((now) => now.sum('beast_pool_connections', { pool: 'upstream', state: 'in_use' })).toBe(
      1,
    )
    await waiting
    await drained()
    await eventually((now) => now.sum('beast_pool_connections', { pool: 'upstream', state: 'in_use' })).toBe(
      0,
    )
  })
})

describe('quality', () => {
  const now = async () => {
    await drained()
    const { sum } = await read()
    return {
      scores: sum('beast_quality_score_ratio_count'),
      total: sum('beast_quality_score_ratio_sum'),
      low: sum('beast_warnings_total', { type: 'low_quality' }),
      truncated: sum('beast_warnings_total', { type: 'truncated' }),
    }
  }

  it('is judged of each whole answer that a model gave', async () => {
    const before = await now()
    await ask('cut it short', { max_tokens: 2 })
    await ask('[[sim: error=refusal]] no')
    await ask('some json', { response_format: { type: 'json_object' } })
    await ask('[[sim: text=prose]] no json', { response_format: { type: 'json_object' } })
    // A hit was judged when it was given first, and a failure is no answer.
    await ask('some json', { response_format: { type: 'json_object' } })
    await ask('[[sim: status=400]]')
    const after = await now()
    // With the last word of `drained`.
    expect(after.scores - before.scores).toBe(5)
    expect(after.total - before.total).toBeCloseTo(2 / 3 + 2 / 3 + 1 + 0.75 + 1)
    expect(after.low - before.low).toBe(3)
    expect(after.truncated - before.truncated).toBe(1)
    const scored = () =>
      stack.supabase.sql<{ score: number }>(
        "select (features ->> 'checks_score')::float as score from ml_predictions where features ? 'checks_score' and (features ->> 'checks_score')::float < 1",
      )
    await expect.poll(async () => (await scored()).length, { timeout: 20_000, interval: 250 }).toBe(3)
  })

  it('is what ratings say, once they are accepted', async () => {
    const { predictionId } = await ask('rate me')
    const before = await read()
    const rate = (rating: object) =>
      api(acme, 'POST', '/api/feedback', { prediction_id: predictionId, source: 'user', ...rating })
    expect((await rate({ rating: 4 })).status).toBe(202)
    expect((await rate({ thumbs: 'down' })).status).toBe(202)
    expect((await rate({ rating: 9 })).status).toBe(422)
    await eventually(({ sum }) => sum('beast_satisfaction_ratio_count')).toBe(2)
    const { sum, by } = await read()
    expect(sum('beast_satisfaction_ratio_sum')).toBe(0.75)
    expect(by('beast_ratings_total', 'verdict')).toMatchObject({ good: 1, bad: 1 })
    expect(sum('beast_quality_score_ratio_count', { mode: 'none' })).toBe(
      before.sum('beast_quality_score_ratio_count', { mode: 'none' }) + 2,
    )
  })
})

describe('rows behind the answers', () => {
  it('are counted by their table, once they are written', async () => {
    const stored = async () => {
      const [row] = await stack.supabase.sql<{ predictions: number; ratings: number }>(
        'select (select count(*)::int from ml_predictions) as predictions, (select count(*)::int from quality_feedback_history) as ratings',
      )
      return [row?.predictions, row?.ratings]
    }
    await ask('a row')
    const written = async () => {
      const { sum } = await read()
      return ['ml_predictions', 'quality_feedback'].map((table) =>
        sum('beast_feedback_writes_total', { table, outcome: 'success' }),
      )
    }
    // All that was asked so far, and the two ratings.
    await expect.poll(async () => (await stored())[1], { timeout: 30_000, interval: 500 }).toBe(2)
    const agrees = async () => JSON.stringify(await written()) === JSON.stringify(await stored())
    await expect.poll(agrees, { timeout: 30_000, interval: 500 }).toBe(true)
    const { sum, by } = await read()
    expect(sum('beast_feedback_writes_total', { table: 'quality_feedback', outcome: 'success' })).toBe(2)
    expect(sum('beast_feedback_writes_total', { outcome: 'error' })).toBe(0)
    expect(by('beast_write_queue_depth', 'table')).toMatchObject({ ml_predictions: 0 })
  })
})

describe('budgets', () => {
  it('are told of while they are spent from, and warn when they are nearly used', async () => {
    const ratio = 'beast_tenant_budget_utilization_ratio'
    expect(isThere(await read(), ratio)).toBe(false)
    const budget = { tenant: 'acme', period: 'month', hard: false, limit_usd: 0.000_001 }
    expect((await api(OPERATOR_TOKEN, 'PUT', '/api/budgets', budget)).status).toBe(200)
    const spend = (n: number) => ask(`spend ${n}`, {}, { 'cache-control': 'no-store' })
    await spend(0)
    let spent = 1
    await expect
      .poll(
        async () => {
          await spend(spent++)
          return (await read()).sum('beast_warnings_total', { type: 'budget_near' })
        },
        { timeout: 90_000, interval: 1_000 },
      )
      .toBeGreaterThan(0)
    expect((await read()).sum(ratio, { tenant: 'acme' })).toBeGreaterThan(0.9)
  }, 100_000)
})
