import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { WORKER_ROLES } from '../../scripts/stack/database-keys.ts'
import { TABLES } from '../database/rights.ts'
import { chatBody } from '../support/slots.ts'
import { workerKeys } from '../support/stores.ts'
import { chat, type Stack, startStack } from '../support/workers.ts'

// The workers as they run, each with its own small key: what they do, they do under its role.

let stack: Stack
let key: string
beforeAll(async () => {
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
  stack = await startStack()
  // Each row tells who wrote it.
  for (const table of ['ml_predictions', 'quality_feedback_history', 'dead_letters'])
    await stack.supabase.sql(`alter table ${table} add column written_by name default current_user`)
  key = await stack.key('acme', 'paid')
})
afterAll(() => stack?.close())

const PATIENCE = { timeout: 25_000, interval: 200 }
const writers = async (table: string) =>
  (await stack.supabase.sql<{ written_by: string }>(`select distinct written_by from ${table}`)).map(
    ({ written_by }) => written_by,
  )
const ask = async (text: string) => {
  const response = await chat(stack.url, key, chatBody(text))
  await response.text()
  return {
    id: response.headers.get('x-beast-prediction') ?? '',
    cache: response.headers.get('cache-status') ?? '',
  }
}

describe('the recorder', () => {
  it('stores predictions, ratings and dead letters as beast_recorder', async () => {
    const { id } = await ask('hello')
    const rated = await fetch(`${stack.url}/api/feedback`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify({ prediction_id: id, source: 'user', thumbs: 'up' }),
    })
    expect(rated.status).toBe(202)
    // A row that its table refuses goes the way of the dead letters.
    const { TELEMETRY } = await stack.harness
      .getWorker<{ TELEMETRY: { send(message: unknown): Promise<void> } }>()
      .getEnv()
    await TELEMETRY.send({ records: [{ kind: 'prediction', row: { id: crypto.randomUUID() } }] })
    for (const table of ['ml_predictions', 'quality_feedback_history', 'dead_letters'])
      await expect.poll(() => writers(table), PATIENCE).toEqual(['beast_recorder'])
    // Its triggers see what it does not.
    expect(
      await stack.supabase.sql('select thumbs, matched_at is not null as matched from quality_feedback'),
    ).toEqual([{ thumbs: 'up', matched: true }])
  })
})

describe('the gateway', () => {
  it('looks cached answers up as beast_reader, and falls back on no other key', async () => {
    await ask('kept')
    await expect
      .poll(async () => (await stack.supabase.sql('select key from llm_cache')).length, PATIENCE)
      .toBeGreaterThan(0)
    const fromBelow = async () => {
      await stack.redis.store.send(['FLUSHDB'])
      stack = await stack.restart()
      return (await ask('kept')).cache
    }
    const REVOKED = 'cached_answer(uuid, text)'
    await stack.supabase.sql(`revoke execute on function ${REVOKED} from beast_reader`)
    expect(await fromBelow()).toContain('beast-supabase; fwd=miss; detail=error')
    await stack.supabase.sql(`grant execute on function ${REVOKED} to beast_reader`)
    expect(await fromBelow()).toMatch(/beast-supabase; hit/)
  })
})

describe('a key of a worker', () => {
  it('reads nothing of any table that is not its own', async () => {
    const mayRead: Record<string, readonly string[]> = {
      SUPABASE_RECORDER_KEY: [],
      SUPABASE_READER_KEY: [],
      SUPABASE_KEEPER_KEY: Object.keys(TABLES).filter((table) => TABLES[table]?.keeper !== undefined),
    }
    const keys = workerKeys(stack.supabase.publishableKey)
    expect(Object.keys(keys)).toEqual(Object.keys(WORKER_ROLES))
    for (const [name, value] of Object.entries(keys)) {
      const [apikey = '', token = ''] = value.split(':')
      for (const table of Object.keys(TABLES)) {
        const response = await fetch(`${stack.supabase.url}/rest/v1/${table}?select=*`, {
          headers: { apikey, authorization: `Bearer ${token}` },
        })
        const rows = (await response.json()) as unknown
        const seen = Array.isArray(rows) && rows.length > 0
        if (!mayRead[name]?.includes(table)) expect([name, table, seen]).toEqual([name, table, false])
      }
      // By itself the token opens nothing, nor does it as the key of the project.
      const alone: Record<string, string>[] = [{ authorization: `Bearer ${token}` }, { apikey: token }]
      for (const headers of alone)
        expect((await fetch(`${stack.supabase.url}/rest/v1/tenants`, { headers })).status).toBe(401)
    }
  })
})
