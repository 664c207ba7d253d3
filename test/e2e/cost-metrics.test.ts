import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { prometheusYaml } from '../../scripts/ops/prometheus.ts'
import { readSettings } from '../../scripts/ops/settings.ts'
import type { Env } from '../../workers/gateway/env.ts'
import { readDashboard } from '../ops/grafana.ts'
import { type Prometheus, startPrometheus } from '../ops/prometheus.ts'
import { type Api, apiAt, MODELS } from '../support/api.ts'
import { describeWith, prometheusPresent } from '../support/require.ts'
import { chatBody } from '../support/slots.ts'
import { ROOT } from '../support/stores.ts'
import { paidRecord, rowOf } from '../support/telemetry.ts'
import { chat, type Stack, startStack } from '../support/workers.ts'
import { readMetrics } from './metrics-text.ts'

// What the ledger books is what the metrics count: gateway, state, recorder and queue in workerd, over the database.

const TOKEN = 'm'.repeat(43)
const SMALL = 'simulated:sim-small'
const PATIENCE = { timeout: 30_000, interval: 250 }

let stack: Stack
let api: Api
let acme: string
let globex: string

beforeAll(async () => {
  stack = await startStack({ METRICS_TOKEN: TOKEN, METRICS_TOOLS: 'search', METRICS_SOURCES: 'docs' })
  api = apiAt(stack.url)
  acme = await stack.key('acme', 'paid')
  globex = await stack.key('globex', 'paid')
  const config = { model: 'sim-small', input_usd_per_mtok: 300, output_usd_per_mtok: 1_500 }
  const mine = { model_id: 'mine', endpoint_url: stack.provider.url, config }
  expect((await api(globex, 'POST', MODELS, mine)).status).toBe(201)
})
afterAll(() => stack?.close())

const read = async () => readMetrics((await api(TOKEN, 'GET', '/metrics')).text)
const ask = async (key: string, text: string, more: object = {}) => {
  const response = await chat(stack.url, key, chatBody(text, { model: SMALL, ...more }))
  await response.text()
  expect(response.status).toBe(200)
}
const dollars = async (from: string): Promise<number> => {
  const [row] = await stack.supabase.sql<{ usd: number }>(
    `select coalesce(sum(usd), 0)::float8 as usd from ${from}`,
  )
  return row?.usd ?? 0
}
const SPENT = "(select cost_usd as usd from ledger where source = 'gateway') l"
const SAVED =
  '(select saved_usd as usd from ml_predictions union all select saved_usd from prediction_minutes) s'
const rows = async (table: string): Promise<number> => {
  const [row] = await stack.supabase.sql<{ n: number }>(`select count(*)::int as n from ${table}`)
  return row?.n ?? 0
}
const spentBy = (name: string) =>
  dollars(
    `(select cost_usd as usd from ledger l join tenants t on t.id = l.tenant_id where t.name = '${name}') l`,
  )
/** Waits until so many requests are booked, and all that was booked is counted. */
async function drained(booked: number, predictions: number): Promise<void> {
  const seen = async () => [await rows('ledger'), await rows('ml_predictions'), await rows('cost_counts')]
  await expect.poll(seen, PATIENCE).toEqual([booked, predictions, 0])
}

describe('costs', () => {
  it('in the metrics are those of the ledger, under the names that the gateway knows', {
    timeout: 90_000,
  }, async () => {
    // By which the isolate learns who its tenants are.
    await ask(acme, 'the first')
    await drained(1, 1)
    for (const text of ['a', 'a', 'b', 'a']) await ask(acme, text)
    await ask(acme, 'c', { stream: true })
    await ask(acme, 'd', { model: 'auto' })
    await ask(globex, 'e', { model: 'custom:mine' })
    await ask(globex, 'e', { model: 'custom:mine' })
    await drained(6, 9)
    const { sum, by } = await read()
    const ledger = await dollars(SPENT)
    expect(ledger).toBeGreaterThan(0)
    expect(sum('beast_cost_usd_total')).toBeCloseTo(ledger, 9)
    expect(sum('beast_tenant_cost_usd_total')).toBeCloseTo(ledger, 9)
    expect(sum('beast_cost_saved_usd_total', { reason: 'cache' })).toBeCloseTo(await dollars(SAVED), 9)
    expect(sum('beast_cost_saved_usd_total', { mode: '1' })).toBeGreaterThan(0)
    expect(sum('beast_cost_saved_usd_total', { mode: '2' })).toBeGreaterThan(0)
    expect(by('beast_tenant_cost_usd_total', 'tenant').globex).toBeCloseTo(await spentBy('globex'), 9)
    expect(Object.keys(by('beast_tenant_cost_usd_total', 'tenant')).sort()).toEqual(
      expect.arrayContaining(['acme', 'globex']),
    )
    const cost = (labels: Record<string, string>) => sum('beast_cost_usd_total', { type: 'llm', ...labels })
    // A name that a tenant made up is no label.
    expect(cost({ mode: '2', provider: 'custom', model: 'other' })).toBeCloseTo(await spentBy('globex'), 9)
    expect(cost({ mode: '1', provider: 'simulated', model: 'sim-small' })).toBeGreaterThan(0)
    expect(cost({ mode: '3' })).toBeGreaterThan(0)
    expect((await api(TOKEN, 'GET', '/metrics')).text).not.toContain('mine')
  })

  it('are counted once, however often the queue brings a request', { timeout: 90_000 }, async () => {
    const [booked, predictions] = [await rows('ledger'), await rows('ml_predictions')]
    const [tenant] = await stack.supabase.sql<{ id: string }>("select id from tenants where name = 'acme'")
    const price = { inputUsdPerMTok: 100, outputUsdPerMTok: 100 }
    const records = [1, 2, 3].map((number) => ({
      ...paidRecord(rowOf(number, { tenantId: tenant?.id ?? '', cache: 'miss' }), [
        { provider: 'simulated', model: 'sim-small', route: SMALL, endpoint: 'e', price },
      ]),
      labels: { tenant: 'acme', calls: [{ provider: 'simulated', model: 'sim-small' }] },
    }))
    const before = await read()
    const { TELEMETRY } = (await stack.harness.getWorker('beast-gateway').getEnv()) as unknown as Env
    for (let i = 0; i < 3; i++) {
      await TELEMETRY.send({ records: [...records, ...records.slice(i)] })
      await TELEMETRY.send({ records: records.slice(0, 1) })
    }
    await drained(booked + 3, predictions + 3)
    const { sum } = await read()
    const ledger = await dollars(SPENT)
    expect(ledger).toBeGreaterThan(before.sum('beast_cost_usd_total'))
    expect(sum('beast_cost_usd_total')).toBeCloseTo(ledger, 9)
    expect(sum('beast_tenant_cost_usd_total')).toBeCloseTo(ledger, 9)
  })

  it('that an application reports are none of the gateway’s', { timeout: 90_000 }, async () => {
    const [booked, predictions] = [await rows('ledger'), await rows('ml_predictions')]
    const before = (await read()).sum('beast_cost_usd_total')
    const call = { type: 'llm_call', model: SMALL, input_tokens: 1_000_000, output_tokens: 10 }
    const tool = { type: 'tool', tool: 'search', outcome: 'success' }
    const rag = { type: 'rag', source: 'docs', outcome: 'success' }
    const events = [call, tool, rag]
    const reported = await api(globex, 'POST', '/api/telemetry', { events })
    expect(reported.status, reported.text).toBe(202)
    await ask(acme, 'after the report')
    await drained(booked + 1, predictions + 1)
    const added = (await read()).sum('beast_cost_usd_total') - before
    expect(added).toBeGreaterThan(0)
    // A million tokens would have been 15 cents.
    expect(added).toBeLessThan(0.01)
  })
})

describeWith('prometheus', prometheusPresent, 'a real Prometheus', () => {
  let prometheus: Prometheus
  afterAll(() => prometheus?.close())

  it('has something to draw on each panel of costs', { timeout: 120_000 }, async () => {
    const settings = readSettings(join(ROOT, 'ops/settings.json'))
    const address = new URL(stack.url).host
    const config = prometheusYaml({ ...settings, gateway: { scheme: 'http', address, scrape: 'shards' } })
      .replaceAll('/run/secrets/', 'DIR/')
      .replace('/etc/prometheus/', 'DIR/')
      .replace('scrape_interval: 15s', 'scrape_interval: 1s')
    prometheus = await startPrometheus(config, {
      'metrics-token': TOKEN,
      'beast.rules.yml': readFileSync(join(ROOT, 'ops/beast.rules.yml'), 'utf8'),
    })
    const known = async () => Number((await prometheus.query('sum(beast_cost_usd_total)'))[0]?.value[1] ?? 0)
    await expect.poll(known, { ...PATIENCE, timeout: 60_000 }).toBeCloseTo(await dollars(SPENT), 9)
    const before = await known()
    await ask(acme, 'seen while it grows')
    await ask(acme, 'seen while it grows')
    await expect.poll(known, { ...PATIENCE, timeout: 60_000 }).toBeGreaterThan(before)
    const panels = readDashboard('K').panels
    expect(panels).toHaveLength(11)
    for (const { title, targets } of panels) {
      const query = (targets[0]?.expr ?? '')
        .replaceAll('$__rate_interval', '1m')
        .replaceAll('$__range', '1h')
        .replaceAll('$job', 'beast')
      const data = async () => (await prometheus.query(query)).map(({ value }) => Number(value[1]))
      await expect
        .poll(data, { ...PATIENCE, message: title })
        .toEqual(expect.arrayContaining([expect.any(Number)]))
      expect(await data(), title).not.toContain(Number.NaN)
    }
    const [day] = await prometheus.query('sum(rate(beast_cost_usd_total[1h]))*86400')
    expect(Number(day?.value[1])).toBeGreaterThan(0)
  })
})
