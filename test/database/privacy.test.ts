import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { EmbeddedSupabase } from '../../scripts/stack/supabase.ts'
import { SYSTEM_TENANT_ID } from '../../src/models/registry.ts'
import { startTestSupabase, supabaseClient } from '../support/stores.ts'
import { clientOf, KEEPER, RECORDER } from './clients.ts'
import { feedbackRow, predictionRow, TENANT_A, TENANT_B, USER } from './rows.ts'
import { record, seed } from './seed.ts'

interface Exported {
  readonly section: string
  readonly at: string
  readonly record_id: string
  readonly record: Record<string, unknown>
}

const CANARY = 'canary-of-the-user'
const now = Date.now()
let supabase: EmbeddedSupabase

beforeAll(async () => {
  // The embedded database prints every refusal, with all that was refused.
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
  supabase = await startTestSupabase()
})
afterAll(() => supabase?.close())
beforeEach(async () => {
  await supabase.sql(`delete from tenants where id in ('${TENANT_A}', '${TENANT_B}')`)
  for (const table of ['roll_up_minutes', 'roll_up_hours', 'feedback_hours'])
    await supabase.sql(`delete from ${table}`)
  await seed(supabase, 11, now)
  await supabase.sql(
    `insert into virtual_keys (tenant_id, digest, hint) select id, rpad(id::text, 43, 'd'), 'hint' from tenants where id <> '${SYSTEM_TENANT_ID}'`,
  )
  await supabase.sql(`insert into provider_keys (tenant_id, provider, base_url, wire_format, api_key_encrypted, api_key_iv)
    values ('${TENANT_A}', 'openai', 'https://api.example.com', 'openai', 'v2.KEK_1.sealed', 'iviviviviviviviv')`)
  await supabase.sql(`insert into custom_models (tenant_id, model_id, model_name, user_id)
    values ('${TENANT_A}', 'mine', 'Mine', '${CANARY}')`)
})

const service = () => supabaseClient(supabase)
const count = async (table: string, where: string) =>
  Number((await supabase.sql<{ n: number }>(`select count(*)::int as n from ${table} where ${where}`))[0]?.n)
const rollUp = () =>
  clientOf(supabase, KEEPER)
    .rpc('roll_up', { stored_from: '-infinity', stored_to: 'infinity' })
    .throwOnError()
const totals = (tenant: string) =>
  supabase.sql(
    `select 'requests' as of, to_jsonb(t) as row from roll_up_hours t where tenant_id = '${tenant}'
     union all select 'ratings', to_jsonb(t) from feedback_hours t where tenant_id = '${tenant}' order by 1, 2`,
  )
/** Every row of every table, as text. */
async function everything(): Promise<string> {
  const tables = await supabase.sql<{ name: string }>(
    `select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'`,
  )
  const rows = await Promise.all(
    tables.map(({ name }) => supabase.sql(`select to_jsonb(t)::text as row from ${name} t`)),
  )
  return JSON.stringify(rows)
}

/** All pages. */
async function exported(call: string, args: Record<string, unknown>, batch: number): Promise<Exported[]> {
  const all: Exported[] = []
  for (;;) {
    const last = all.at(-1)
    const after = last && { after_section: last.section, after_at: last.at, after_id: last.record_id }
    const { data } = await service()
      .rpc(call, { ...args, ...after, batch_rows: batch })
      .throwOnError()
    if (data.length === 0) return all
    expect(data.length).toBeLessThanOrEqual(batch)
    all.push(...data)
  }
}
const sections = (rows: readonly Exported[]): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const { section } of rows) counts[section] = (counts[section] ?? 0) + 1
  return counts
}

describe('an export of a tenant', () => {
  it('has every row once, page by page, nothing of others, and no secret', async () => {
    const rows = await exported('export_tenant', { exported_tenant: TENANT_A }, 97)
    expect(new Set(rows.map((row) => `${row.section}/${row.record_id}/${row.at}`)).size).toBe(rows.length)
    const found = sections(rows)
    for (const [table, rowsOfTable] of Object.entries(found))
      expect([table, rowsOfTable]).toEqual([
        table,
        await count(table, `${table === 'tenants' ? 'id' : 'tenant_id'} = '${TENANT_A}'`),
      ])
    expect(found).toMatchObject({ tenants: 1, virtual_keys: 1, ml_predictions: 150, prediction_texts: 20 })
    const text = JSON.stringify(rows)
    for (const foreign of [TENANT_B, 'v2.KEK_1.sealed', 'ddddd', 'iviviv'])
      expect(text).not.toContain(foreign)
  })

  it('names every table that has rows of tenants, but for copies, sealed answers, what tells of erasures, and the audit log', async () => {
    const tables = await supabase.sql<{ name: string }>(
      `select relname as name from pg_class join pg_attribute on attrelid = pg_class.oid and attname = 'tenant_id'
       where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1`,
    )
    const [view] = await supabase.sql<{ text: string }>(
      `select pg_get_viewdef('tenant_records'::regclass) as text`,
    )
    const missing = tables.map(({ name }) => name).filter((name) => !view?.text.includes(`'${name}'`))
    expect(missing).toEqual(['audit_details', 'audit_log', 'erasures', 'llm_cache', 'roll_up_minutes'])
  })
})

describe('a user', () => {
  const args = { exported_tenant: TENANT_A, exported_user_hash: USER }
  const erase = async (batch: number, tenant = TENANT_A) => {
    const user = { erased_tenant: tenant, erased_user_hash: USER, user_name: CANARY }
    return (
      await service()
        .rpc('erase_user', { ...user, batch_rows: batch })
        .throwOnError()
    ).data as number
  }

  it('is handed all that is its own', async () => {
    const rows = await exported('export_user', args, 20)
    const own = await count('ml_predictions', `tenant_id = '${TENANT_A}' and user_hash = '${USER}'`)
    expect(own).toBeGreaterThan(20)
    expect(sections(rows)).toMatchObject({ ml_predictions: own })
    expect(JSON.stringify(rows)).not.toContain(TENANT_B)
    const ids = new Set(
      rows.filter(({ section }) => section === 'ml_predictions').map((row) => row.record_id),
    )
    for (const { section, record } of rows)
      if (section !== 'ml_predictions') expect(ids).toContain(record.prediction_id)
  })

  it('is erased some rows at a time, and every total stays', async () => {
    // In one minute with others, so that a total could become less.
    const crowd = Array.from({ length: 40 }, (_, index) =>
      predictionRow(TENANT_A, now - 3_600_000, { user_hash: index % 2 ? USER : null }),
    )
    await record(clientOf(supabase, RECORDER), 'ml_predictions', crowd)
    await rollUp()
    const [before, neighbour] = [await totals(TENANT_A), await totals(TENANT_B)]
    const rows = await exported('export_user', args, 1_000)
    const predictions = rows.filter(({ section }) => section === 'ml_predictions')
    let erased = 0
    for (let call = await erase(10); call > 0; call = await erase(10)) {
      expect(call).toBeLessThanOrEqual(10)
      erased += call
    }
    expect(erased).toBe(predictions.length)
    expect(await exported('export_user', args, 1_000)).toEqual([])
    await rollUp()
    expect(await totals(TENANT_A)).toEqual(before)
    expect(await totals(TENANT_B)).toEqual(neighbour)
    const left = await everything()
    expect(left).not.toContain(CANARY)
    // Only the ledger, which names no user, still knows the requests.
    await supabase.sql('delete from ledger')
    await supabase.sql('delete from ledger_attempts')
    const rest = await everything()
    for (const { record_id } of predictions) expect(rest).not.toContain(record_id)
  })

  it("keeps what is its namesake's at another tenant", async () => {
    const where = `tenant_id = '${TENANT_B}' and user_hash = '${USER}'`
    const before = await count('ml_predictions', where)
    while ((await erase(1_000)) > 0);
    expect(await count('ml_predictions', where)).toBe(before)
    expect(before).toBeGreaterThan(0)
  })
})

describe('a tenant', () => {
  const erase = async (batch: number, tenant = TENANT_A) => {
    const { data } = await service()
      .rpc('erase_tenant', { erased_tenant: tenant, batch_rows: batch })
      .throwOnError()
    return Object.fromEntries(
      (data as { section: string; removed: number }[]).map(({ section, removed }) => [section, removed]),
    )
  }

  it('is erased some rows at a time, and every total stays', async () => {
    const [before, neighbour] = [await totals(TENANT_A), await totals(TENANT_B)]
    const first = await erase(40)
    expect(first).toMatchObject({ ml_predictions: 40, tenants: 0 })
    expect(await count('virtual_keys', `tenant_id = '${TENANT_A}' and revoked_at is null`)).toBe(0)
    await rollUp()
    expect(await totals(TENANT_A)).toEqual(before)
    for (let calls = 0; (await erase(40)).tenants === 0; calls++) expect(calls).toBeLessThan(20)
    await rollUp()
    expect(await totals(TENANT_A)).toEqual(before)
    expect(await totals(TENANT_B)).toEqual(neighbour)
    await supabase.sql(`delete from roll_up_hours where tenant_id = '${TENANT_A}'`)
    await supabase.sql(`delete from feedback_hours where tenant_id = '${TENANT_A}'`)
    // That it is gone is known, by an id that leads nowhere.
    await supabase.sql(`delete from erasures where tenant_id = '${TENANT_A}'`)
    expect(await everything()).not.toContain(TENANT_A)
    expect(await erase(40)).toMatchObject({ ml_predictions: 0, tenants: 0 })
  })

  it('counts what came in its last minute, and takes nothing more once it is gone', async () => {
    const row = predictionRow(TENANT_A, Date.now(), { model: 'the-last-one' })
    const recorder = clientOf(supabase, RECORDER)
    await record(recorder, 'ml_predictions', [row])
    expect(await erase(50_000)).toMatchObject({ tenants: 1 })
    expect(await count('roll_up_hours', "model = 'the-last-one'")).toBe(1)
    const refusals = [
      await recorder.from('ml_predictions').insert(row),
      await recorder.from('quality_feedback_history').insert(feedbackRow(TENANT_A, row.id)),
    ]
    for (const { error } of refusals) expect(error?.message).toMatch(/foreign key/)
  })

  it('of the system cannot be erased', async () => {
    const { error } = await service().rpc('erase_tenant', { erased_tenant: SYSTEM_TENANT_ID })
    expect(error?.message).toMatch(/system tenant/)
    expect(await count('custom_models', `tenant_id = '${SYSTEM_TENANT_ID}'`)).toBe(3)
  })
})
