import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { JsonObject } from '../../src/core/json.ts'
import { type Answer, type Api, apiAt, chatsAt, codeOf, isHit, lastBody } from '../support/api.ts'
import { chatBody } from '../support/slots.ts'
import { OPERATOR_TOKEN, ROOT } from '../support/stores.ts'
import { type Stack, startStack } from '../support/workers.ts'

// Budgets through the whole stack: the simulated provider pretends $0.15 and $0.60 for a million tokens.

let stack: Stack
let api: Api
let tenants = 0
beforeAll(async () => {
  stack = await startStack({ BUDGET_OUTPUT_CAP_TOKENS: '321' })
  api = apiAt(stack.url)
})
afterAll(() => stack?.close())

/** Recording takes seconds: batches are gathered twice on their way. */
const PATIENCE = { timeout: 25_000, interval: 200 }
const CHAT = '/v1/chat/completions'

interface Team {
  readonly name: string
  readonly key: string
  readonly keyId: string
  ask(text: string, more?: JsonObject): Promise<Answer>
  set(limitUsd: number, more?: object): Promise<Answer>
  budget(): Promise<{ limit_usd: number; spent_usd: number; reserved_usd: number; resets_at: string }>
  ledgerUsd(): Promise<number>
}

async function team(): Promise<Team> {
  const name = `team-${++tenants}`
  const { key, id } = await stack.admin.create(name, 'paid')
  return {
    name,
    key,
    keyId: id,
    ask: (text, more = {}) => api(key, 'POST', CHAT, chatBody(text, { max_tokens: 100, ...more })),
    set: (limit_usd, more = {}) =>
      api(OPERATOR_TOKEN, 'PUT', '/api/budgets', {
        tenant: name,
        period: 'month',
        hard: true,
        limit_usd,
        ...more,
      }),
    budget: async () => (await api(key, 'GET', '/api/budgets')).body.data[0],
    ledgerUsd: async () => {
      const [row] = await stack.supabase.sql<{ usd: string | null }>(
        `select sum(cost_usd) as usd from ledger l join tenants t on t.id = l.tenant_id where t.name = '${name}'`,
      )
      return Number(row?.usd ?? 0)
    },
  }
}
const asked = () => chatsAt(stack.provider).length

describe('a hard budget', () => {
  it('that is used up refuses before the provider is called, and still gives what is stored', async () => {
    const { ask, set, budget, name, key } = await team()
    const before = await ask('stored')
    expect(before.status).toBe(200)
    expect((await set(1)).body.data).toMatchObject([
      { key_id: null, period: 'month', hard: true, limit_usd: 1 },
    ])
    expect((await ask('within')).status).toBe(200)
    await expect.poll(budget, PATIENCE).toMatchObject({ reserved_usd: 0, spent_usd: expect.any(Number) })
    await set(0.000_05)
    const calls = asked()
    const refused = await ask('beyond')
    expect(codeOf(refused)).toEqual([402, 'budget_exceeded'])
    expect(refused.body.error).toMatchObject({ type: 'insufficient_quota', fault: 'caller' })
    expect(refused.body.error.message).toMatch(/your team for this month.*\$0\.0000500? |\$0\.00005/)
    expect(refused.body.error.tip).toContain((await budget()).resets_at)
    expect(asked()).toBe(calls)
    const hit = await ask('stored')
    expect([hit.status, isHit(hit)]).toEqual([200, true])
    // It is recorded as what it was, and nothing was paid for it.
    const id = refused.headers.get('x-beast-prediction')
    const row = () =>
      stack.supabase.sql(
        `select outcome, error_code, attempts, (select count(*)::int from ledger l where l.prediction_id = p.id) as paid
         from ml_predictions p where id = '${id}'`,
      )
    await expect
      .poll(row, PATIENCE)
      .toEqual([{ outcome: 'client_error', error_code: 'budget_exceeded', attempts: 0, paid: 0 }])
    // Nobody else is touched, and once it is gone neither is the team.
    expect((await (await team()).ask('beyond')).status).toBe(200)
    const gone = await api(OPERATOR_TOKEN, 'DELETE', `/api/budgets?tenant=${name}&period=month`)
    expect(gone.body).toEqual({ removed: true })
    expect((await api(key, 'GET', '/api/budgets')).body).toEqual({ data: [] })
    expect((await ask('beyond')).status).toBe(200)
  })

  it('of one key stops no other', async () => {
    const { ask, set, keyId, name } = await team()
    const other = await stack.key(name)
    await set(0, { key_id: keyId })
    const refused = await ask('one')
    expect(codeOf(refused)).toEqual([402, 'budget_exceeded'])
    expect(refused.body.error.message).toContain('this API key')
    expect((await api(other, 'POST', CHAT, chatBody('one'))).status).toBe(200)
    const stranger = await team()
    expect(codeOf(await stranger.set(1, { key_id: keyId }))).toEqual([404, 'not_found'])
  })

  it('sends a maximum upstream where the caller named none, and the caller’s own where it did', async () => {
    const { ask, set } = await team()
    await set(1)
    expect((await ask('no maximum', { max_tokens: null })).status).toBe(200)
    expect(lastBody(stack.provider).max_tokens).toBe(321)
    await ask('a maximum', { max_tokens: 17 })
    expect(lastBody(stack.provider).max_tokens).toBe(17)
    const free = await team()
    await free.ask('no maximum', { max_tokens: null })
    expect(lastBody(stack.provider).max_tokens ?? null).toBeNull()
  })

  it('refuses what has no bound, and says which field it is', async () => {
    const { key, set } = await team()
    await set(1)
    const image = (url: string) => ({
      model: 'sim-small',
      messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }],
    })
    const calls = asked()
    const refused = await api(key, 'POST', CHAT, image('https://example.com/large.png'))
    expect(codeOf(refused)).toEqual([422, 'cost_unbounded'])
    expect(refused.body.error).toMatchObject({
      param: 'messages[0].content[0]',
      tip: 'Send the image inline, as a data: address.',
    })
    expect(asked()).toBe(calls)
    expect((await api(key, 'POST', CHAT, image('data:image/png;base64,iVBORw0KGgo='))).status).toBe(200)
  })

  it('set in the middle of a month counts what the ledger knows', async () => {
    const { ask, set, budget, ledgerUsd, name } = await team()
    for (const text of ['one', 'two', 'three']) await ask(text)
    const paid = () =>
      stack.supabase.sql(
        `select count(*)::int as n from ledger l join tenants t on t.id = l.tenant_id where t.name = '${name}'`,
      )
    await expect.poll(paid, PATIENCE).toEqual([{ n: 3 }])
    await set(1)
    expect((await budget()).spent_usd).toBe(await ledgerUsd())
    expect((await budget()).spent_usd).toBeGreaterThan(0)
  })

  it('and the ledger have the same sum of whatever becomes of requests', async () => {
    const { ask, key, set, budget, ledgerUsd } = await team()
    await set(1)
    const leaving = async () => {
      const controller = new AbortController()
      const response = await fetch(stack.url + CHAT, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify(chatBody('[[sim: rate=20]] tell me much', { stream: true, max_tokens: 100 })),
        signal: controller.signal,
      })
      await response.body?.getReader().read()
      controller.abort()
    }
    await Promise.all([
      ask('plain'),
      ask('streamed', { stream: true }),
      ask('streamed and told', { stream: true, stream_options: { include_usage: true } }),
      ask('[[sim: error=cut at=700]]', { stream: true }),
      ask('[[sim: error=cut at=20]]'),
      ask('[[sim: status=500]]'),
      ask('[[sim: status=429]]'),
      ask('[[sim: status=400]]'),
      ask('[[sim: error=html]]'),
      leaving(),
    ])
    const settled = async () => {
      const { spent_usd, reserved_usd } = await budget()
      return [reserved_usd, spent_usd > 0, (await ledgerUsd()) - spent_usd]
    }
    await expect.poll(settled, PATIENCE).toEqual([0, true, 0])
    const kinds = await stack.supabase.sql<{ result: string; n: number }>(
      `select a.result, count(*)::int as n from ledger_attempts a group by 1`,
    )
    const results = kinds.map(({ result }) => result)
    expect(results).toEqual(expect.arrayContaining(['answered', 'failed', 'cancelled']))
  })
})

describe('a soft budget', () => {
  it('stops nothing, and says how far it is passed', async () => {
    const { ask, set, budget } = await team()
    await set(0, { hard: false, period: 'day' })
    expect((await ask('one')).status).toBe(200)
    expect((await ask('two', { max_tokens: null })).status).toBe(200)
    expect(lastBody(stack.provider).max_tokens ?? null).toBeNull()
    await expect
      .poll(async () => (await budget()).spent_usd > 0 && (await budget()).reserved_usd === 0, PATIENCE)
      .toBe(true)
  })
})

describe('npm run budgets', () => {
  const command = (...words: string[]): Promise<{ code: number; said: string }> =>
    new Promise((resolve) => {
      const env = { ...process.env, BEAST_URL: stack.url, BEAST_OPERATOR_TOKEN: OPERATOR_TOKEN }
      execFile(process.execPath, [join(ROOT, 'scripts/budgets.ts'), ...words], { env }, (error, out, err) =>
        resolve({ code: error ? Number(error.code) : 0, said: out + err }),
      )
    })

  it('sets, lists and removes', async () => {
    const { name, keyId, ask } = await team()
    const place = ['--tenant', name, '--period', 'day']
    expect(await command('list', '--tenant', name)).toMatchObject({
      code: 0,
      said: expect.stringContaining('has no budgets'),
    })
    const set = await command('set', ...place, '--limit', '0', '--key', keyId)
    expect(set).toMatchObject({ code: 0, said: expect.stringMatching(/In force now[\s\S]*day +hard +\$0 /) })
    expect(codeOf(await ask('one'))).toEqual([402, 'budget_exceeded'])
    await command('set', ...place, '--limit', '12.5', '--soft')
    const { said } = await command('list', '--tenant', name)
    expect(said).toMatch(/all +day +soft +\$12\.5 +\$0 +\$0 +20\d\d-/)
    expect(said).toContain(keyId)
    expect(await command('remove', ...place, '--key', keyId)).toEqual({ code: 0, said: 'Removed.\n' })
    expect((await ask('one')).status).toBe(200)
    expect(await command('remove', ...place, '--key', keyId)).toMatchObject({ code: 1 })
    expect((await command('set', ...place)).code).toBe(2)
    expect((await command('set', ...place, '--limit', 'much')).code).toBe(1)
  })
})

describe('setting a budget', () => {
  it.each([
    [{ period: 'year' }, 'period'],
    [{ limit_usd: -1 }, 'limit_usd'],
    [{ limit_usd: '5' }, 'limit_usd'],
    [{ limit_usd: 1e7 }, 'limit_usd'],
    [{ hard: 'yes' }, 'hard'],
    [{ key_id: 'x' }, 'key_id'],
    [{ tenant: 'No Such' }, 'tenant'],
    [{ keyid: null }, 'keyid'],
  ])('refuses %j', async (more, param) => {
    const { set } = await team()
    const answer = await set(1, more)
    expect(codeOf(answer)).toEqual([400, 'invalid_request'])
    expect(answer.body.error.param).toBe(param)
  })

  it('of nobody, and removing what is not there, are told', async () => {
    const { name, set } = await team()
    expect(codeOf(await set(1, { tenant: 'nobody' }))).toEqual([404, 'not_found'])
    const gone = await api(OPERATOR_TOKEN, 'DELETE', `/api/budgets?tenant=${name}&period=day`)
    expect(codeOf(gone)).toEqual([404, 'not_found'])
  })
})
