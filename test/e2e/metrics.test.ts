import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { prometheusYaml } from '../../scripts/ops/prometheus.ts'
import { readSettings } from '../../scripts/ops/settings.ts'
import { createTracker } from '../../src/metrics/track.ts'
import { workerClock } from '../../workers/clock.ts'
import { type Prometheus, startPrometheus } from '../ops/prometheus.ts'
import { type Api, apiAt, codeOf, MODELS } from '../support/api.ts'
import { describeWith, prometheusPresent } from '../support/require.ts'
import { chatBody } from '../support/slots.ts'
import { OPERATOR_TOKEN, ROOT } from '../support/stores.ts'
import { chat, type Stack, startStack } from '../support/workers.ts'
import { readMetrics } from './metrics-text.ts'

// The whole stack: what callers and applications do is in /metrics, and a real Prometheus reads it.

const TOKEN = 'm'.repeat(43)
const MONITORING = `${MODELS}/monitoring`
const TELEMETRY = '/api/telemetry'

let stack: Stack
let api: Api
let acme: string
let other: string

beforeAll(async () => {
  stack = await startStack({
    METRICS_TOKEN: TOKEN,
    METRICS_TOOLS: 'search, calculator',
    METRICS_AGENTS: 'planner',
    METRICS_SOURCES: 'docs',
    REQUEST_MODES: 'named=4',
    BUILD_VERSION: '1.2.3',
  })
  api = apiAt(stack.url)
  acme = await stack.key('acme', 'paid')
  other = await stack.key('other', 'free')
})
afterAll(() => stack?.close())

const read = async () => {
  const { status, text } = await api(TOKEN, 'GET', '/metrics')
  expect(status).toBe(200)
  return readMetrics(text)
}
const eventually = (look: (metrics: ReturnType<typeof readMetrics>) => unknown) =>
  expect.poll(async () => look(await read()), { timeout: 20_000, interval: 250 })
const ask = async (key: string | undefined, text: string, more: object = {}) => {
  const response = await chat(stack.url, key, chatBody(text, { model: 'simulated:sim-small', ...more }))
  await response.text()
  return response.status
}

describe('GET /metrics', () => {
  it('has what callers did, under the names that are known', async () => {
    await ask(acme, 'the first, by which the isolate learns who its tenants are')
    await eventually(({ sum }) => sum('beast_requests_total')).toBe(1)
    for (const text of ['a', 'a', 'b']) expect(await ask(acme, text)).toBe(200)
    expect(await ask(acme, 'c', { stream: true })).toBe(200)
    expect(await ask(acme, 'd', { model: 'junk:junk' })).toBe(404)
    expect(await ask(undefined, 'e')).toBe(401)
    await eventually(({ sum }) => sum('beast_requests_received_total')).toBe(7)
    await eventually(({ sum }) => sum('beast_requests_total')).toBe(7)
    // Written behind the answers, so told with a later batch.
    const stored = { tier: 'supabase', op: 'write', result: 'ok' }
    await eventually(({ sum }) => sum('beast_cache_operations_total', stored)).toBe(4)
    const { sum, by } = await read()
    expect(by('beast_requests_total', 'outcome')).toEqual({
      success: 5,
      client_error: 2,
      error: 0,
      cancelled: 0,
    })
    expect(
      sum('beast_requests_total', { provider: 'simulated', model: 'sim-small', mode: '4', cache: 'hit' }),
    ).toBe(1)
    expect(sum('beast_requests_total', { provider: 'simulated', stream: 'true', cache: 'miss' })).toBe(1)
    expect(by('beast_requests_total', 'model')).toEqual({ 'sim-small': 5, none: 2 })
    expect(by('beast_tenant_requests_total', 'tenant')).toMatchObject({ acme: 5 })
    expect(sum('beast_tokens_total', { type: 'output', provider: 'simulated' })).toBeGreaterThan(0)
    expect(sum('beast_llm_calls_total', { cached: 'false' })).toBe(4)
    expect(sum('beast_cache_lookups_total', { result: 'hit', match: 'exact', tier: 'memory' })).toBe(1)
    expect(sum('beast_cache_operations_total', { tier: 'redis', op: 'miss', result: 'ok' })).toBe(4)
    expect(sum('beast_cache_entry_age_seconds_count', { tier: 'memory' })).toBe(1)
    expect(sum('beast_cache_entries', { tier: 'memory' })).toBe(4)
    expect(sum('beast_cache_bytes', { tier: 'memory' })).toBeGreaterThan(100)
    expect(sum('beast_cache_capacity_entries', { tier: 'memory' })).toBe(1_000)
    expect(sum('beast_cache_capacity_entries', { tier: 'kv' })).toBe(10_000)
    expect(sum('beast_build_info', { version: '1.2.3' })).toBe(1)
    expect(sum('beast_time_to_first_token_seconds_count', { provider: 'simulated' })).toBe(1)
  })
})

describe('POST /api/telemetry', () => {
  it('brings an application’s tools, sources, agents and workflows into the metrics', async () => {
    const before = await read()
    const tracker = createTracker({ url: stack.url, key: other, fetch, clock: workerClock })
    tracker.tool('search', 'success')
    tracker.tool('nobody knows it', 'error')
    tracker.rag('docs', 'success')
    tracker.agent('planner', 'success')
    tracker.workflow('w', '2')
    tracker.quality(0.9, '1')
    tracker.degradation(['stale'], '1')
    tracker.warning('low_quality')
    tracker.llmCall({ model: 'simulated:sim-small', inputTokens: 1_000, outputTokens: 10 })
    await tracker.flush()
    expect(tracker.dropped).toBe(0)
    await eventually(({ by }) => by('beast_tool_executions_total', 'tool')).toMatchObject({
      search: 1,
      other: 1,
    })
    const { sum } = await read()
    expect(sum('beast_rag_retrievals_total', { source: 'docs', outcome: 'success' })).toBe(1)
    expect(sum('beast_agent_executions_total', { agent: 'planner', outcome: 'success' })).toBe(1)
    expect(sum('beast_workflows_active', { mode: '2' })).toBe(1)
    expect(sum('beast_quality_score_ratio_count', { mode: '1' })).toBe(1)
    expect(sum('beast_degraded_responses_total', { mode: '1' })).toBe(1)
    // What the gateway itself counted is untouched.
    for (const provider of ['simulated', 'none'])
      for (const name of ['beast_llm_calls_total', 'beast_tokens_total'])
        expect(sum(name, { provider })).toBe(before.sum(name, { provider }))
    expect(sum('beast_tokens_total', { provider: 'reported', model: 'sim-small', type: 'input' })).toBe(1_000)
    expect(sum('beast_requests_total')).toBe(before.sum('beast_requests_total'))
  })

  it.each([
    ['{', 'invalid_json'],
    [{ events: [] }, 'invalid_request'],
    [{ events: [{ type: 'tool', tool: 'search', outcome: 'success' }, { type: 'tool' }] }, 'invalid_request'],
  ])('refuses %j whole', async (body, code) => {
    const before = (await read()).sum('beast_tool_executions_total')
    expect(codeOf(await api(acme, 'POST', TELEMETRY, body))).toEqual([400, code])
    expect((await read()).sum('beast_tool_executions_total')).toBe(before)
  })

  it('takes no more than a body of 256 kB, and nobody without a key', async () => {
    expect((await api(acme, 'POST', TELEMETRY, `"${'x'.repeat(256_000)}"`)).status).toBe(413)
    expect((await api(undefined, 'POST', TELEMETRY, { events: [] })).status).toBe(401)
    expect((await api(TOKEN, 'POST', TELEMETRY, { events: [] })).status).toBe(401)
  })
})

describe('GET /api/models/custom/monitoring', () => {
  it('shows a tenant its own models, and the operator everything', async () => {
    const model = { model_id: 'mine', endpoint_url: stack.provider.url, config: { model: 'sim-small' } }
    expect((await api(acme, 'POST', MODELS, model)).status).toBe(201)
    expect(await ask(acme, 'to my own', { model: 'custom:mine' })).toBe(200)
    const own = await api(acme, 'GET', MONITORING)
    expect(own.body).toMatchObject({ scope: 'tenant', errors: { error_rate: 0 }, savings: { saved_usd: 0 } })
    const mine = own.body.health.models.filter(({ source }: { source: string }) => source === 'own')
    expect(mine).toEqual([expect.objectContaining({ id: 'custom:mine', available: true })])
    expect(own.body.coverage).toBeUndefined()
    expect((await api(other, 'GET', MONITORING)).text).not.toContain('mine')
    await eventually(({ sum }) => sum('beast_requests_total', { provider: 'custom', model: 'other' })).toBe(1)
    const all = await api(OPERATOR_TOKEN, 'GET', MONITORING)
    expect(all.body).toMatchObject({
      scope: 'all',
      coverage: { received: 8, counted: 8, ratio: 1, shards_away: 0 },
      errors: { by_code: { model_not_found: 1, missing_api_key: 1 } },
      savings: { lookups: { hit: 1, miss: 5 } },
    })
    const named = await api(OPERATOR_TOKEN, 'GET', `${MONITORING}?tenant=acme`)
    expect(named.text).toContain('custom:mine')
    expect(all.text).not.toContain('custom:mine')
    // The token of the metrics opens nothing else.
    expect((await api(TOKEN, 'GET', MONITORING)).status).toBe(401)
  })
})

describeWith('prometheus', prometheusPresent, 'a real Prometheus', () => {
  let prometheus: Prometheus
  afterAll(() => prometheus?.close())

  it('reads each shard by itself, as its list of targets says', { timeout: 90_000 }, async () => {
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
    expect(await ask(acme, 'one more')).toBe(200)
    const agrees = async () => {
      const [found] = await prometheus.query('sum(beast_requests_total)')
      const here = (await read()).sum('beast_requests_total')
      return here > 0 && Number(found?.value[1]) === here
    }
    await expect.poll(agrees, { timeout: 60_000, interval: 500 }).toBe(true)
  })
})

it('is closed where no token is set', { timeout: 120_000 }, async () => {
  const closed = await startStack()
  try {
    for (const key of [undefined, TOKEN, OPERATOR_TOKEN, await closed.key('acme')])
      expect(codeOf(await apiAt(closed.url)(key, 'GET', '/metrics'))).toEqual([401, 'invalid_api_key'])
  } finally {
    await closed.close()
  }
})
