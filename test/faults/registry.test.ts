import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { EmbeddedSupabase } from '../../scripts/stack/supabase.ts'
import { type Fault, type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { type NodeGateway, nodeGateway } from '../support/node-gateway.ts'
import { question } from '../support/routing-gateway.ts'
import { startTestRedis, startTestSupabase, type TestRedis } from '../support/stores.ts'
import { startUpstream, type UpstreamFaults, well } from '../support/upstream-faults.ts'

// Row 31: what the registry says is damaged, twice too large, or does not come; the last good one serves on.

let supabase: EmbeddedSupabase
let redis: TestRedis
let proxy: FaultProxy
let upstream: UpstreamFaults
let key: string
let troubles: string[]

beforeAll(async () => {
  ;[supabase, redis, upstream] = await Promise.all([startTestSupabase(), startTestRedis(), startUpstream()])
  proxy = await startFaultProxy(supabase.url)
  key = (await isolate().services.directory.create('acme', 'free', null)).key
  await supabase.sql(`
    insert into custom_models (tenant_id, model_id, model_name, endpoint_url, config)
    select id, 'mine', 'Mine', '${upstream.url}', '{"model":"m"}' from tenants where name = 'acme'`)
  await supabase.sql(`
    insert into model_aliases (tenant_id, name, kind, targets)
    select id, 'ours', 'fallback', '[{"model":"custom:mine"}]' from tenants where name = 'acme'`)
})
afterAll(async () => {
  await proxy?.close()
  await Promise.all([supabase?.close(), redis?.close(), upstream?.close()])
})
beforeEach(() => {
  upstream.set(well('served'))
  troubles = []
  vi.spyOn(console, 'error').mockImplementation((line) => void troubles.push(String(line)))
  // The isolate's clock moves on, its timers are real.
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
  proxy.set({ kind: 'none' })
})

const isolate = (): NodeGateway =>
  nodeGateway({
    kv: { get: async () => null, put: async () => {}, delete: async () => {} },
    redisUrl: redis.url,
    supabaseUrl: proxy.url,
    supabaseKey: supabase.secretKey,
    providerUrl: upstream.url,
    vars: { UPSTREAM_LOOPBACK: upstream.host },
  })

async function status(gateway: NodeGateway, model: string): Promise<number> {
  const response = await gateway.chat(key, question({ model }))
  await response.text()
  await gateway.settled()
  return response.status
}

/** Requests for two minutes of the isolate's time, past every time that a snapshot is believed. */
async function twoMinutes(gateway: NodeGateway): Promise<number[]> {
  const seen: number[] = []
  for (let second = 0; second < 120; second += 15) {
    vi.setSystemTime(Date.now() + 15_000)
    for (const model of ['custom:mine', 'ours', 'simulated:m']) seen.push(await status(gateway, model))
  }
  return seen
}

/** Each list of rows in an answer, made into another. */
const eachList = (change: (rows: unknown[]) => unknown[]): Fault => ({
  kind: 'rewrite',
  rewrite: (body, path) => {
    if (!path.includes('custom_models')) return body
    const value: unknown = JSON.parse(body)
    const inRow = (row: object) =>
      Object.fromEntries(
        Object.entries(row).map(([name, rows]) => [name, Array.isArray(rows) ? change(rows) : rows]),
      )
    if (!Array.isArray(value)) return JSON.stringify(inRow(value as object))
    return JSON.stringify(path.includes('/tenants') ? value.map(inRow) : change(value))
  },
})

describe('row 31: 0 failed requests while the registry', () => {
  it.each<[string, Fault, RegExp]>([
    ['comes doubled', eachList((rows) => [...rows, ...rows]), /refused.*rows come twice/],
    [
      'comes far too large',
      eachList((rows) =>
        rows.flatMap((row) =>
          Array.from({ length: 600 }, (_, i) => ({
            ...(row as object),
            id: crypto.randomUUID(),
            model_id: `m${i}`,
          })),
        ),
      ),
      /refused/,
    ],
    [
      'holds rows of another form',
      eachList((rows) => rows.map((row) => ({ ...(row as object), revision: 'one' }))),
      /bad_row/,
    ],
    ['is a page', { kind: 'answer', status: 200, body: '<html>Welcome</html>' }, /load_failed/],
    [
      'is empty',
      { kind: 'rewrite', rewrite: (body, path) => (path.includes('custom_models') ? '[]' : body) },
      /load_failed/,
    ],
    ['fails', { kind: 'answer', status: 500, body: '{"message":"down"}' }, /load_failed/],
    ['is cut off', { kind: 'reset' }, /load_failed/],
  ])('%s', async (_title, fault, told) => {
    const gateway = isolate()
    for (const model of ['custom:mine', 'ours', 'simulated:m']) expect(await status(gateway, model)).toBe(200)
    const before = gateway.services.counts.snapshot().total
    proxy.set(fault)
    const seen = await twoMinutes(gateway)
    expect(seen.filter((each) => each !== 200)).toEqual([])
    expect(gateway.services.counts.snapshot().total - before).toBe(seen.length)
    expect(
      troubles.some((line) => told.test(line)),
      troubles.join('\n'),
    ).toBe(true)
  })

  it('holds a row that somebody broke, and takes what others changed', async () => {
    const gateway = isolate()
    expect(await status(gateway, 'custom:mine')).toBe(200)
    await supabase.sql("update custom_models set endpoint_url = 'no address' where model_id = 'mine'")
    await supabase.sql(`
      insert into custom_models (tenant_id, model_id, model_name, endpoint_url, config)
      select id, 'new', 'New', '${upstream.url}', '{"model":"m"}' from tenants where name = 'acme'`)
    const seen = await twoMinutes(gateway)
    expect(seen.filter((each) => each !== 200)).toEqual([])
    expect(await status(gateway, 'custom:new')).toBe(200)
    expect(troubles.some((line) => line.includes('bad_row'))).toBe(true)
    expect(troubles.join(), 'no values in the log').not.toContain('no address')
    await supabase.sql(`update custom_models set endpoint_url = '${upstream.url}' where model_id = 'mine'`)
  })
})
