import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { createTestHarness, type TestHarness } from 'wrangler'
import type { EmbeddedSupabase } from '../../scripts/stack/supabase.ts'
import { JOBS } from '../../workers/scheduler/jobs.ts'
import { clientOf, RECORDER } from '../database/clients.ts'
import { feedbackRow, predictionRow, TENANT_A, TENANT_B } from '../database/rows.ts'
import { record } from '../database/seed.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { ROOT, startTestSupabase, workerKeys } from '../support/stores.ts'

// The scheduler as it runs, with the keeper's key, on a database that a proxy can take away.

const CONFIG = 'workers/scheduler/wrangler.toml'
const [MINUTE = '', QUARTER = '', HOUR = ''] = Object.keys(JOBS)
const DAY_MS = 86_400_000

let supabase: EmbeddedSupabase
let proxy: FaultProxy
let harness: TestHarness

beforeAll(async () => {
  // The embedded database prints every refusal, with all that was refused.
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
  supabase = await startTestSupabase()
  await supabase.sql('alter table upkeep add column written_by name default current_user')
  proxy = await startFaultProxy(supabase.url)
  const secrets = {
    SUPABASE_URL: proxy.url,
    ...workerKeys(supabase.publishableKey),
    CACHE_MAX_ENTRIES_PER_TENANT: '2',
  }
  harness = createTestHarness({
    root: ROOT,
    workers: [{ configPath: CONFIG, secrets }, { configPath: 'test/support/gateway-stand-in/wrangler.toml' }],
  })
  await harness.listen()
})
afterAll(async () => {
  await harness?.close()
  await proxy?.close()
  await supabase?.close()
})
beforeEach(async () => {
  await supabase.sql('delete from upkeep')
  await supabase.sql('delete from dead_letters')
  await supabase.sql(`delete from tenants where id in ('${TENANT_A}', '${TENANT_B}')`)
  await supabase.sql(`insert into tenants (id, name) values ('${TENANT_A}', 'a'), ('${TENANT_B}', 'b')`)
  for (const table of ['roll_up_minutes', 'roll_up_hours', 'feedback_hours'])
    await supabase.sql(`delete from ${table}`)
  harness.clearLogs()
})
afterEach(() => proxy.set({ kind: 'none' }))

const run = async (cron: string) =>
  (await harness.getWorker().scheduled({ cron, scheduledTime: new Date() })).outcome
const predict = (...rows: ReturnType<typeof predictionRow>[]) =>
  record(clientOf(supabase, RECORDER), 'ml_predictions', rows)
const count = async (table: string, where = 'true') =>
  Number((await supabase.sql<{ n: number }>(`select count(*)::int as n from ${table} where ${where}`))[0]?.n)
const upkeep = async () =>
  Object.fromEntries(
    (await supabase.sql<{ job: string; error: string | null }>('select * from upkeep')).map((row) => [
      row.job,
      row as Record<string, unknown>,
    ]),
  )
/** What it logged of its jobs: each a line of JSON. */
const logged = () =>
  harness
    .getLogs()
    .flatMap(({ message }) => (message.includes('"upkeep"') ? [JSON.parse(message)] : []))
    .map(({ level, job }) => `${level} ${job}`)

describe('crons', () => {
  it('are those that jobs are due by', () => {
    const [, listed = ''] = /crons = (\[.*\])/.exec(readFileSync(join(ROOT, CONFIG), 'utf8')) ?? []
    expect(JSON.parse(listed)).toEqual(Object.keys(JOBS))
  })
})

describe('each minute', () => {
  it('counts what was stored and joins what missed its partner, as beast_keeper', async () => {
    const rows = [predictionRow(TENANT_A, Date.now()), predictionRow(TENANT_B, Date.now() - 20 * DAY_MS)]
    await predict(...rows)
    await record(clientOf(supabase, RECORDER), 'quality_feedback_history', [
      feedbackRow(TENANT_A, rows[0]?.id ?? ''),
    ])
    await supabase.sql('update quality_feedback set matched_at = null, model = null')
    expect(await run(MINUTE)).toBe('ok')
    expect(await count('roll_up_minutes', 'requests = 1')).toBe(2)
    expect(await count('roll_up_hours', 'requests = 1')).toBe(2)
    expect(await count('quality_feedback', 'matched_at is not null and model is not null')).toBe(1)
    // Matched first, so counted at once.
    expect(await count('feedback_hours', 'ratings = 1')).toBe(1)
    expect(await upkeep()).toMatchObject({
      match_feedback: { error: null, result: { matched: 1 }, written_by: 'beast_keeper' },
      roll_up: { error: null, result: { minutes: 2, hours: 2, feedback: 1 }, written_by: 'beast_keeper' },
    })
    expect(logged()).toEqual(['info match_feedback', 'info roll_up', 'info probe'])
  })

  it('counts all that was stored while it did not run', async () => {
    await predict(...Array.from({ length: 3 }, () => predictionRow(TENANT_A, Date.now() - 3 * DAY_MS)))
    // Stored a day and a half ago, in three different hours.
    await supabase.sql(
      `update ml_predictions set stored_at = now() - interval '36 hours' + row * interval '2 hours'
       from (select id as picked, row_number() over () as row from ml_predictions) as numbered where id = picked`,
    )
    for (const since of ['nothing', 'the last success']) {
      await supabase.sql('delete from roll_up_minutes')
      await supabase.sql('delete from roll_up_hours')
      if (since === 'nothing') await supabase.sql('delete from upkeep')
      else
        await supabase.sql(
          `update upkeep set result = jsonb_build_object('through', now() - interval '35 hours') where job = 'roll_up'`,
        )
      expect(await run(MINUTE)).toBe('ok')
      expect([since, await count('roll_up_hours', 'requests = 3')]).toEqual([since, 1])
    }
  })
})

describe('the gateway', () => {
  it('is probed each minute', async () => {
    expect(await run(MINUTE)).toBe('ok')
    expect(await upkeep()).toMatchObject({ probe: { error: null, result: { gateway: 1, kv: 1, redis: 0 } } })
  })

  it('is told each hour what the cache’s table holds, by the minute in which it ends', async () => {
    await supabase.sql(
      `insert into llm_cache (key, tenant_id, sealed, bytes, expires_at)
       select rpad(letter, 43, 'k'), '${TENANT_A}', 's', size, date_trunc('minute', now()) + life * interval '1 minute'
       from (values ('a', 10, 90), ('b', 7, 90), ('c', 5, 120), ('d', 1, -90)) as kept (letter, size, life)`,
    )
    await run(MINUTE)
    const minute = Math.floor(Date.now() / 60_000)
    expect(await run(HOUR)).toBe('ok')
    expect(await upkeep()).toMatchObject({ count_llm_cache: { error: null, result: { entries: 3 } } })
    const told = harness
      .getLogs()
      .flatMap(({ message }) => (message.includes('"counted"') ? [JSON.parse(message)] : []))
    const [first, second] = Object.entries(told[0]?.minutes)
    expect(first?.[1]).toEqual({ entries: 2, bytes: 17 })
    expect(second?.[1]).toEqual({ entries: 1, bytes: 5 })
    // The clock may have gone on by a minute since.
    expect(minute + 90 - Number(first?.[0])).toBeOneOf([0, 1])
    await supabase.sql('delete from llm_cache')
  })
})

describe('each quarter of an hour', () => {
  it("lets go of cached answers that have expired, and of each tenant's surplus", async () => {
    await supabase.sql(
      `insert into llm_cache (key, tenant_id, sealed, bytes, expires_at)
       select rpad(letter, 43, 'k'), '${TENANT_A}', 's', 1, now() + life * interval '1 hour'
       from (values ('a', 1), ('b', 1), ('c', 1), ('d', -1)) as kept (letter, life)`,
    )
    expect(await run(QUARTER)).toBe('ok')
    expect(await count('llm_cache')).toBe(2)
    expect(await upkeep()).toMatchObject({ prune_llm_cache: { error: null, result: { removed: 2 } } })
  })
})

describe('each hour', () => {
  it('lets go of what has had its time, once it is counted', async () => {
    await predict(predictionRow(TENANT_A, Date.now()), predictionRow(TENANT_A, Date.now() - 100 * DAY_MS))
    await run(MINUTE)
    expect(await count('roll_up_hours')).toBe(2)
    expect(await run(HOUR)).toBe('ok')
    expect(await count('ml_predictions')).toBe(1)
    expect(await count('roll_up_hours')).toBe(2)
    expect(await upkeep()).toMatchObject({ prune_expired: { error: null, result: { predictions: 1 } } })
  })

  it('keeps everything while the sums are behind, and does the rest', async () => {
    await predict(predictionRow(TENANT_A, Date.now() - 100 * DAY_MS))
    await supabase.sql(
      `insert into dead_letters (id, kind, record, reason, buried_at)
       values (gen_random_uuid(), 'prediction', '{}', 'why', now() - interval '31 days')`,
    )
    expect(await run(HOUR)).toBe('exception')
    expect(await count('ml_predictions')).toBe(1)
    expect(await count('dead_letters')).toBe(0)
    const { prune_expired, prune_dead_letters } = await upkeep()
    expect(prune_expired).toMatchObject({ error: expect.stringContaining('behind'), succeeded_at: null })
    expect(prune_dead_letters).toMatchObject({ error: null, result: { removed: 1 } })
    expect(logged()).toEqual(['error prune_expired', 'info prune_dead_letters', 'info count_llm_cache'])
  })

  it('lets go of dead letters with the like of them', async () => {
    await supabase.sql(
      `update tenants set retention_days = 7, text_retention_days = 7 where id = '${TENANT_A}'`,
    )
    const letters = [
      [TENANT_A, 'prediction', 8],
      [TENANT_A, 'prediction', 6],
      [TENANT_A, 'feedback', 8],
      [TENANT_B, 'prediction', 29],
      [null, 'unknown', 29],
      [null, 'unknown', 31],
      [crypto.randomUUID(), 'prediction', 31],
    ] as const
    for (const [tenant, kind, days] of letters)
      await supabase.sql(
        `insert into dead_letters (id, tenant_id, kind, record, reason, buried_at)
         values (gen_random_uuid(), ${tenant ? `'${tenant}'` : 'null'}, '${kind}', '{}', '${days}', now() - interval '${days} days')`,
      )
    await run(MINUTE)
    expect(await run(HOUR)).toBe('ok')
    const left = await supabase.sql<{ left: string }>(
      "select kind || ' ' || reason as left from dead_letters order by 1",
    )
    expect(left.map((row) => row.left)).toEqual(['feedback 8', 'prediction 29', 'prediction 6', 'unknown 29'])
  })
})

describe('a database that is away', () => {
  it.each(['reset', 'answer'] as const)('(%s) is said job by job, and caught up with', async (kind) => {
    await predict(predictionRow(TENANT_A, Date.now()))
    await run(MINUTE)
    const before = await upkeep()
    await predict(predictionRow(TENANT_A, Date.now()))
    proxy.set(kind === 'reset' ? { kind } : { kind, status: 503, body: '{"message":"away"}' })
    harness.clearLogs()
    for (const cron of Object.keys(JOBS)) expect(await run(cron)).toBe('exception')
    expect(logged()).toEqual(
      Object.values(JOBS)
        .flat()
        .map(({ name }) => `error ${name}`),
    )
    expect(await upkeep()).toEqual(before)
    proxy.set({ kind: 'none' })
    expect(await run(MINUTE)).toBe('ok')
    expect(await supabase.sql('select sum(requests)::int as n from roll_up_hours')).toEqual([{ n: 2 }])
  })

  it('fails the job that it refuses, keeps what the last success said, and does the next', async () => {
    await run(MINUTE)
    const { match_feedback: before } = await upkeep()
    await supabase.sql('revoke execute on function match_feedback(integer) from beast_keeper')
    expect(await run(MINUTE)).toBe('exception')
    await supabase.sql('grant execute on function match_feedback(integer) to beast_keeper')
    const after = await upkeep()
    expect(after.match_feedback).toMatchObject({
      error: expect.stringContaining('permission denied'),
      result: before?.result,
      succeeded_at: before?.succeeded_at,
    })
    expect(after.roll_up?.error).toBeNull()
  })
})
