import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chatBody } from '../support/slots.ts'
import { chat, type Stack, startStack } from '../support/workers.ts'

let stack: Stack
let key: string
beforeAll(async () => {
  stack = await startStack()
  key = await stack.key('acme', 'paid')
})
afterAll(() => stack?.close())

interface Row {
  readonly id: string
  readonly outcome: string
  readonly cache: string
  readonly [column: string]: unknown
}

const rows = (): Promise<Row[]> => stack.supabase.sql<Row>('select * from ml_predictions order by id')

/** Recording takes seconds: batches are gathered twice on their way. */
const PATIENCE = { timeout: 25_000, interval: 200 }

const ask = async (body: unknown, headers: Record<string, string> = {}) => {
  const response = await chat(stack.url, key, body, headers)
  const text = await response.text().catch(() => 'cut')
  return { id: response.headers.get('x-beast-prediction') ?? '', status: response.status, text }
}

describe('every request of a known tenant', () => {
  it('has one row, with its outcome, and its id in the answer', async () => {
    const miss = await ask(chatBody('one'))
    const hit = await ask(chatBody('one'))
    const stream = await ask(chatBody('two', { stream: true, stream_options: { include_usage: true } }))
    const streamHit = await ask(chatBody('two', { stream: true, stream_options: { include_usage: true } }))
    const cut = await ask(chatBody('[[sim: error=cut at=700]]', { stream: true }))
    const failed = await ask(chatBody('[[sim: status=500]]'))
    const invalid = await ask('{')
    const unknownModel = await ask({ ...chatBody('x'), model: 'nothing' })
    const bypass = await ask(chatBody('one'), { 'cache-control': 'no-store' })
    const nobody = await chat(stack.url, 'bm_live_wrong', chatBody('x'))
    expect(nobody.headers.get('x-beast-prediction')).toBeNull()
    await nobody.body?.cancel()
    const sent = [miss, hit, stream, streamHit, cut, failed, invalid, unknownModel, bypass]
    const told = async () => {
      const found = new Map((await rows()).map((row) => [row.id, row]))
      return sent.map(({ id }) => {
        const row = found.get(id)
        return row && [row.outcome, row.cache, row.error_code, row.cached_prediction_id]
      })
    }
    await expect.poll(told, PATIENCE).toEqual([
      ['success', 'miss', null, null],
      ['success', 'hit', null, miss.id],
      ['success', 'miss', null, null],
      ['success', 'hit', null, stream.id],
      ['error', 'miss', 'upstream_cut_off', null],
      ['error', 'miss', expect.any(String), null],
      ['client_error', 'none', 'invalid_json', null],
      ['client_error', 'none', 'model_not_found', null],
      ['success', 'bypass', null, null],
    ])
    expect(await rows()).toHaveLength(sent.length)
    const recorded = (await rows()).find(({ id }) => id === miss.id)
    expect(recorded).toMatchObject({
      model: 'simulated:sim-small',
      provider: 'simulated',
      input_tokens: expect.any(Number),
      output_tokens: expect.any(Number),
      attempts: 1,
      task: expect.any(String),
      decision: { candidates: [expect.objectContaining({ id: 'simulated:sim-small' })] },
    })
    // Each call that may have been charged for, once, at the price that the simulated provider pretends to have.
    const cost = (row: Row | undefined) =>
      (Number(row?.input_tokens) * 0.15 + Number(row?.output_tokens) * 0.6) / 1e6
    const byId = new Map((await rows()).map((row) => [row.id, row]))
    expect(Number(recorded?.cost_usd)).toBeCloseTo(cost(recorded), 9)
    expect(Number(byId.get(hit.id)?.saved_usd)).toBeCloseTo(cost(recorded), 9)
    expect(Number(byId.get(hit.id)?.cost_usd)).toBe(0)
    const ledger = await stack.supabase.sql<{
      prediction_id: string
      unpriced: boolean
      agrees: boolean
      calls: number
    }>(
      `select l.prediction_id, l.unpriced, l.cost_usd = p.cost_usd and l.cost_usd = sum(a.cost_usd) as agrees,
        count(*)::int as calls
       from ledger l join ml_predictions p on p.id = l.prediction_id join ledger_attempts a using (prediction_id)
       group by l.prediction_id, l.unpriced, l.cost_usd, p.cost_usd`,
    )
    expect(ledger.map(({ prediction_id }) => prediction_id).sort()).toEqual(
      [miss, stream, cut, failed, bypass].map(({ id }) => id).sort(),
    )
    for (const row of ledger) expect(row).toMatchObject({ unpriced: false, agrees: true, calls: 1 })
  })

  it('says who asked and what only as hashes, and what a hit repeats', async () => {
    const body = chatBody('a secret question', { user: 'ada@example.com' })
    const [miss, hit, other] = [
      await ask(body),
      await ask(body),
      await ask(chatBody('a secret question', { user: 'bob@example.com' })),
    ]
    const found = async () => {
      const byId = new Map((await rows()).map((row) => [row.id, row]))
      return [miss, hit, other].flatMap(({ id }) => byId.get(id) ?? [])
    }
    await expect.poll(async () => (await found()).length, PATIENCE).toBe(3)
    const [missRow, hitRow, otherRow] = (await found()) as [Row, Row, Row]
    expect(missRow.user_hash).toMatch(/^[\w-]{43}$/)
    expect(hitRow.user_hash).toBe(missRow.user_hash)
    expect(otherRow.user_hash).not.toBe(missRow.user_hash)
    expect(missRow.prompt_hash).toMatch(/^[\w-]{43}$/)
    expect(hitRow.prompt_hash).toBe(missRow.prompt_hash)
    expect(otherRow.prompt_hash).not.toBe(missRow.prompt_hash)
    expect(hitRow).toMatchObject({
      model: 'simulated:sim-small',
      provider: 'simulated',
      input_tokens: null,
      features: { saved_input_tokens: missRow.input_tokens, saved_output_tokens: missRow.output_tokens },
    })
    expect(JSON.stringify(await rows())).not.toMatch(/secret question|example\.com/)
  })

  it('knows an answer again, and keeps text only of a tenant that wants it kept', async () => {
    const wanting = await stack.key('wanting', 'paid')
    await stack.supabase.sql(`update tenants set keeps_text = true where name = 'wanting'`)
    // The key was not used before, so its tenant is read with the wish.
    const of = async (key: string, text: string, more = {}) => {
      const response = await chat(stack.url, key, chatBody(text, more), { 'cache-control': 'no-store' })
      return { id: response.headers.get('x-beast-prediction') ?? '', text: await response.text() }
    }
    const kept = await of(wanting, 'what is kept')
    const streamed = await of(wanting, 'what is kept', { stream: true })
    const again = await of(wanting, 'what is kept')
    const secret = await of(key, 'what is not kept')
    const hashes = async () => {
      const byId = new Map((await rows()).map((row) => [row.id, row.answer_hash]))
      return [kept, streamed, again, secret].flatMap(({ id }) => byId.get(id) ?? [])
    }
    await expect.poll(async () => (await hashes()).length, PATIENCE).toBe(4)
    const [plain, stream, repeated, other] = await hashes()
    // The simulated provider says another thing as a stream.
    expect(repeated).toBe(plain)
    expect(new Set([plain, stream, other]).size).toBe(3)
    const texts = () =>
      stack.supabase.sql<{ prediction_id: string; prompt: string; answer: string }>(
        'select prediction_id, prompt, answer from prediction_texts order by prediction_id',
      )
    await expect.poll(async () => (await texts()).length, PATIENCE).toBe(3)
    const said = (text: string): string => JSON.parse(text).choices[0].message.content
    const pieces = [...streamed.text.matchAll(/^data: (\{.*)$/gm)].map(([, data]) => JSON.parse(data ?? ''))
    const answers = [
      said(kept.text),
      pieces.map(({ choices }) => choices[0]?.delta.content ?? '').join(''),
      said(again.text),
    ]
    for (const [index, text] of (await texts()).entries())
      expect(text).toEqual({
        prediction_id: [kept, streamed, again][index]?.id,
        prompt: JSON.stringify([{ role: 'user', content: 'what is kept' }]),
        answer: answers[index],
      })
  })
})
