import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { OutboxRecord } from '../../src/feedback/outbox.ts'
import type { Env } from '../../workers/gateway/env.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { chatBody } from '../support/slots.ts'
import { idOf, rowOf } from '../support/telemetry.ts'
import { chat, type Stack, startStack } from '../support/workers.ts'

let stack: Stack
let proxy: FaultProxy
let key: string
let tenantId: string
beforeAll(async () => {
  stack = await startStack({}, async (url) => {
    proxy = await startFaultProxy(url)
    return proxy.url
  })
  key = await stack.key('acme', 'paid')
  const [tenant] = await stack.supabase.sql<{ id: string }>("select id from tenants where name = 'acme'")
  tenantId = tenant?.id ?? ''
})
afterAll(async () => {
  await stack?.close()
  await proxy?.close()
})
beforeEach(() => proxy.set({ kind: 'none' }))

const PATIENCE = { timeout: 40_000, interval: 250 }
const ids = async (table: string): Promise<string[]> =>
  (await stack.supabase.sql<{ id: string }>(`select id from ${table} order by id`)).map(({ id }) => id)

/** Twelve requests, hits and misses in turn. @returns the ids of their predictions, in order */
async function mixed(name: string): Promise<string[]> {
  const sent: string[] = []
  for (let i = 0; i < 12; i++) {
    const response = await chat(stack.url, key, chatBody(`${name} ${i >> 1}`))
    await response.text()
    expect(response.status).toBe(200)
    sent.push(response.headers.get('x-beast-prediction') ?? '')
  }
  return sent.sort()
}

/** Puts a message straight into the recorder's queue. */
async function deliver(records: readonly object[]): Promise<void> {
  const env = (await stack.harness.getWorker('beast-gateway').getEnv()) as unknown as Env
  await env.TELEMETRY.send({ records: records as OutboxRecord[] })
}

describe('recording', () => {
  it.each([
    ['not there', { kind: 'reset' }],
    ['failing at everything', { kind: 'answer', status: 500, body: '{"code":"SUP","message":"down"}' }],
    ['taking rows without ever saying so', { kind: 'lost-reply' }],
  ] as const)('loses and doubles nothing while Supabase is %s', { timeout: 90_000 }, async (how, fault) => {
    const before = new Set(await ids('ml_predictions'))
    await (await chat(stack.url, key, chatBody('known before'))).text()
    proxy.set(fault)
    const sent = await mixed(how)
    // Until the recorder has tried, the first rows first, and failed.
    await expect.poll(() => proxy.hasSeen('POST', '/ledger_attempts'), PATIENCE).toBe(true)
    proxy.set({ kind: 'none' })
    const added = async () => (await ids('ml_predictions')).filter((id) => !before.has(id))
    await expect.poll(async () => (await added()).length, PATIENCE).toBe(13)
    expect(await added()).toEqual(expect.arrayContaining(sent))
    expect(await ids('dead_letters')).toEqual([])
  })

  it('lands 49 of 50 rows, buries the poison with its reason, and replays it once it is mended', {
    timeout: 90_000,
  }, async () => {
    const rows = Array.from({ length: 50 }, (_, i) => rowOf(i, { tenantId }))
    const poison = { ...rows[17], total_ms: -1 }
    const before = (await ids('ml_predictions')).length
    await deliver(rows.map((row, i) => ({ kind: 'prediction', row: i === 17 ? poison : row })))
    await expect.poll(async () => (await ids('ml_predictions')).length, PATIENCE).toBe(before + 49)
    await expect.poll(() => ids('dead_letters'), PATIENCE).toEqual([idOf(17)])
    const { data } = await stack.admin.request<{ data: object[] }>('GET', '/api/admin/dead-letters')
    expect(data).toEqual([
      expect.objectContaining({
        id: idOf(17),
        tenant_id: tenantId,
        reason: expect.stringContaining('total_ms'),
      }),
    ])
    const replay = () => stack.admin.request('POST', '/api/admin/dead-letters/replay')
    expect(await replay()).toEqual({ sent: 1, left: 0 })
    await stack.supabase.sql(`update dead_letters set record = jsonb_set(record, '{row,total_ms}', '1')`)
    expect(await replay()).toEqual({ sent: 1, left: 0 })
    await expect.poll(() => ids('ml_predictions'), PATIENCE).toContain(idOf(17))
    expect(await stack.admin.request('GET', '/api/admin/dead-letters')).toEqual({ data: [] })
    expect(await ids('dead_letters')).toEqual([])
  })

  it('opens dead letters to the operator only', async () => {
    for (const [method, path] of [
      ['GET', ''],
      ['POST', '/replay'],
    ]) {
      const headers = { authorization: `Bearer ${key}` }
      const response = await fetch(`${stack.url}/api/admin/dead-letters${path}`, { method, headers })
      expect(response.status).toBe(401)
      await response.body?.cancel()
    }
  })
})
