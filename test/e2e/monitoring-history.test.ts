import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { History } from '../../src/dashboard/history.ts'
import { JOBS } from '../../workers/scheduler/jobs.ts'
import { ALIASES, apiAt, MODELS } from '../support/api.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { type ProviderServer, startProviderServer } from '../support/provider-server.ts'
import { chat, type Stack, startStack } from '../support/workers.ts'

// Longer times of the page, from a request to what is shown: recorded, summed up by the scheduler, read behind the sign-in.

const VIEWER_TOKEN = 'v'.repeat(43)
const BODY = { model: 'simulated:sim-small', messages: [{ role: 'user', content: 'How do I sort a list?' }] }
const [MINUTE = ''] = Object.keys(JOBS)

let stack: Stack
let proxy: FaultProxy
let cookie: string
/** Fails whatever it is asked. */
let broken: ProviderServer

beforeAll(async () => {
  broken = await startProviderServer()
  const vars = { VIEWER_TOKEN, UPSTREAM_LOOPBACK: new URL(broken.url).host }
  stack = await startStack(vars, async (url) => {
    proxy = await startFaultProxy(url)
    return proxy.url
  })
  const response = await fetch(`${stack.url}/monitoring/sign-in`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', origin: stack.url },
    body: new URLSearchParams({ secret: VIEWER_TOKEN }),
    redirect: 'manual',
  })
  cookie = response.headers.getSetCookie()[0]?.split(';')[0] ?? ''
})
afterAll(async () => {
  await stack?.close()
  await Promise.all([proxy?.close(), broken?.close()])
})

const get = (query: string, headers: Record<string, string> = { cookie }) =>
  fetch(`${stack.url}/monitoring/history${query}`, { headers })
const day = async (more = '') => (await (await get(`?minutes=1440${more}`)).json()) as History
const rowsOf = ({ figures }: History, code: string) =>
  Object.fromEntries((figures[code] ?? []).map(({ labels, now }) => [labels.join(' '), now]))

/** Once so many rows are stored, the scheduler has its minute. */
async function summedUp(rows: number): Promise<void> {
  const stored = async () =>
    (await stack.supabase.sql<{ n: number }>('select count(*)::int as n from ml_predictions'))[0]?.n
  await expect.poll(stored, { timeout: 30_000, interval: 200 }).toBe(rows)
  const scheduler = stack.harness.getWorker('beast-scheduler')
  expect((await scheduler.scheduled({ cron: MINUTE, scheduledTime: new Date() })).outcome).toBe('ok')
}

describe('longer times', () => {
  it('are for those who are signed in', async () => {
    const key = await stack.key('acme')
    for (const headers of [
      {},
      { cookie: 'beast_monitoring=x' },
      { authorization: `Bearer ${key}` },
      { authorization: `Bearer ${VIEWER_TOKEN}` },
    ]) {
      const response = await get('?minutes=1440', headers as Record<string, string>)
      expect(response.status).toBe(401)
      expect(await response.text()).toBe('Sign in at /monitoring first.\n')
    }
  })

  it('are those that the page offers, and no others', async () => {
    for (const query of [
      '',
      '?minutes=15',
      '?minutes=99999999',
      '?minutes=1440&tenant=',
      '?minutes=1440&sql=1',
    ]) {
      const response = await get(query)
      expect([query, response.status]).toEqual([query, 400])
      expect(await response.json()).toMatchObject({
        error: { tip: expect.stringContaining('1440, 10080, 43200') },
      })
    }
  })

  it('say that nothing was summed up before the scheduler ran', async () => {
    const response = await get('?minutes=43200')
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store'])
    expect(await response.json()).toMatchObject({ summedToMs: null, figures: { P1: [], K4: [] } })
  })

  it('show what was asked, once it is stored and summed up, by tenant, mode and model', async () => {
    const [acme, globex] = await Promise.all([stack.key('acme'), stack.key('globex')])
    for (const key of [acme, acme, acme, globex]) {
      const response = await chat(stack.url, key, BODY)
      expect(response.status).toBe(200)
      await response.text()
    }
    await summedUp(4)
    const history = await day()
    expect(history.summedToMs).toBeGreaterThan(Date.now() - 60_000)
    expect(rowsOf(history, 'P12')).toEqual({ acme: 3, globex: 1 })
    // As the live panels have it: a model by its name is mode 1.
    expect(rowsOf(history, 'P7')).toEqual({ 1: 4 })
    expect(rowsOf(history, 'C9')).toEqual({ '1 hit': 2, '1 miss': 2 })
    expect(rowsOf(history, 'P6')).toEqual({ '': 0.5 })
    expect(history.choices).toEqual({ mode: ['1'], model: ['sim-small'], tenant: ['acme', 'globex'] })
    expect(rowsOf(await day('&tenant=globex&model=sim-small&mode=1'), 'P12')).toEqual({ globex: 1 })
    expect(rowsOf(await day('&mode=2'), 'P12')).toEqual({})
  })

  it('show what failed, and what came from another model than the one that was to answer', async () => {
    const key = await stack.key('acme')
    const api = apiAt(stack.url)
    await api(key, 'POST', MODELS, { model_id: 'frail', endpoint_url: broken.url, config: { model: 'm' } })
    const targets = [{ model: 'custom:frail' }, { model: BODY.model }]
    await api(key, 'PUT', `${ALIASES}/safe`, { kind: 'fallback', targets })
    const ask = async (model: string) =>
      (await chat(stack.url, key, { ...BODY, model, temperature: 1 })).status
    expect([await ask('safe'), await ask('custom:frail')]).toEqual([200, 502])
    await summedUp(6)
    const history = await day()
    // Of how many, of all the time shown.
    const seconds = (history.times.at(-1) ?? 0) - (history.times[0] ?? 0) + history.stepSeconds
    const counted = (code: string) =>
      Object.fromEntries(
        Object.entries(rowsOf(history, code)).map(([name, rate]) => [
          name,
          Math.round((rate ?? 0) * seconds),
        ]),
      )
    expect(counted('P9')).toEqual({ '': 1 })
    expect(counted('S4')).toEqual({ upstream_failed: 1 })
    expect(rowsOf(history, 'P7')).toEqual({ 1: 4, 2: 1, 3: 1 })
    expect(counted('K3')).toEqual({ false: 3, true: 2 })
  })

  it('say what is wrong when the database is down, and come back with it', async () => {
    for (const fault of [{ kind: 'reset' }, { kind: 'answer', status: 500, body: '{}' }] as const) {
      proxy.set(fault)
      const response = await get('?minutes=1440')
      expect(response.status).toBe(503)
      expect(response.headers.get('retry-after')).toBe('5')
      expect(await response.json()).toMatchObject({
        error: { code: 'store_unavailable', tip: expect.stringContaining('/readyz') },
      })
    }
    proxy.set({ kind: 'answer', status: 200, body: '{"summed_to":1}' })
    expect((await get('?minutes=1440')).status).toBe(503)
    proxy.set({ kind: 'none' })
    expect(rowsOf(await day(), 'P12')).toEqual({ acme: 5, globex: 1 })
  })
})
