import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { EmbeddedSupabase } from '../../scripts/stack/supabase.ts'
import type { EndUser, ExportRow } from '../../src/feedback/privacy-store.ts'
import { SupabasePrivacy } from '../../src/feedback/privacy-supabase.ts'
import { SYSTEM_TENANT_ID } from '../../src/models/registry.ts'
import { startTestSupabase, supabaseClient } from '../support/stores.ts'
import { clientOf, RECORDER } from './clients.ts'
import { predictionRow, TENANT_A, TENANT_B, USER } from './rows.ts'
import { record, seed } from './seed.ts'

const user: EndUser = { name: 'ann@example.com', hash: USER }
const now = Date.now()
let supabase: EmbeddedSupabase
let store: SupabasePrivacy

beforeAll(async () => {
  // The embedded database prints every refusal, with all that was refused.
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
  supabase = await startTestSupabase()
  store = new SupabasePrivacy(() => supabaseClient(supabase))
})
afterAll(() => supabase?.close())
beforeEach(async () => {
  await supabase.sql(`delete from tenants where id in ('${TENANT_A}', '${TENANT_B}')`)
  for (const table of ['roll_up_minutes', 'roll_up_hours', 'feedback_hours', 'erasures', 'dead_letters'])
    await supabase.sql(`delete from ${table}`)
  await seed(supabase, 11, now)
})

const recorder = () => clientOf(supabase, RECORDER)
const count = async (table: string, where = 'true') =>
  Number((await supabase.sql<{ n: number }>(`select count(*)::int as n from ${table} where ${where}`))[0]?.n)
const letter = (tenantId: string, more: object = {}) => ({
  id: crypto.randomUUID(),
  tenant_id: tenantId,
  kind: 'prediction',
  record: { kind: 'prediction', row: { user_hash: USER, ...more } },
  reason: 'why',
})

describe('pages of an export', () => {
  const all = async (args: object) => {
    const rows: ExportRow[] = []
    let pages = 0
    for (;;) {
      const last = rows.at(-1)
      const after = last && { after_section: last.section, after_at: last.at, after_id: last.record_id }
      const { data } = await supabaseClient(supabase)
        .rpc('export_page', { ...args, ...after })
        .throwOnError()
      if (data.length === 0) return { rows, pages }
      rows.push(...data)
      pages += 1
    }
  }
  const nameOf = ({ section, at, record_id }: ExportRow) => `${section}/${at}/${record_id}`
  const inOne = async (call: string, args: object) => {
    const { data } = await supabaseClient(supabase)
      .rpc(call, { ...args, batch_rows: 10_000 })
      .throwOnError()
    return (data as (Omit<ExportRow, 'record'> & { record: unknown })[])
      .map((row) => `${nameOf({ ...row, record: '' })} ${JSON.stringify(row.record)}`)
      .sort()
  }
  const asText = (rows: readonly ExportRow[]) =>
    rows.map((row) => `${nameOf(row)} ${JSON.stringify(JSON.parse(row.record))}`).sort()

  it('have what the export in one has, whatever their size', async () => {
    const args = { exported_tenant: TENANT_A }
    for (const page_rows of [7, 1_000]) {
      const { rows } = await all({ ...args, page_rows })
      expect(new Set(rows.map(nameOf)).size).toBe(rows.length)
      expect(asText(rows)).toEqual(await inOne('export_tenant', args))
    }
    const ofUser = { ...args, exported_user_hash: USER }
    const { rows } = await all({ ...ofUser, page_rows: 7 })
    expect(rows.length).toBeGreaterThan(30)
    expect(asText(rows)).toEqual(await inOne('export_user', ofUser))
  })

  it('end at so many bytes, and hold a row that is larger than that', async () => {
    await supabase.sql(`update prediction_texts set prompt = repeat('x', 300000)`)
    const args = { exported_tenant: TENANT_A, page_bytes: 1_000_000 }
    const { data } = await supabaseClient(supabase).rpc('export_page', args).throwOnError()
    expect(JSON.stringify(data).length).toBeLessThan(1_500_000)
    const { rows, pages } = await all(args)
    expect(rows.filter(({ section }) => section === 'prediction_texts')).toHaveLength(20)
    expect(pages).toBeGreaterThanOrEqual(6)
    const ofUser = await all({ exported_tenant: TENANT_A, exported_user_hash: USER, page_bytes: 1 })
    expect(ofUser.pages).toBe(ofUser.rows.length)
  })

  it('know every section that there is', async () => {
    const [text] = await supabase.sql<{ view: string; page: string }>(
      `select pg_get_viewdef('tenant_records'::regclass) as view, prosrc as page
       from pg_proc where proname = 'export_page'`,
    )
    const known = [...(/array\[([^\]]*)\]/.exec(text?.page ?? '')?.[1] ?? '').matchAll(/'(\w+)'/g)].map(
      ([, section]) => section,
    )
    for (const section of known) expect(text?.view).toContain(`'${section}'::text`)
    expect(new Set(known).size).toBe((text?.view.match(/union all/gi)?.length ?? 0) + 1)
  })

  it('of a user hold the models that it added', async () => {
    await supabase.sql(
      `insert into custom_models (tenant_id, model_id, model_name, user_id)
       values ('${TENANT_A}', 'hers', 'm', '${user.name}'), ('${TENANT_A}', 'his', 'm', 'bob'), ('${TENANT_B}', 'hers', 'm', '${user.name}')`,
    )
    const models = (await store.page(TENANT_A, user, undefined)).filter(
      (row) => row.section === 'custom_models',
    )
    expect(models.map(({ record: text }) => JSON.parse(text).model_id)).toEqual(['hers'])
  })
})

it('a user may have any name that a request can give it', async () => {
  const odd = { name: 'a\0"\'\\,%_\u{1f600}', hash: USER }
  expect((await store.page(TENANT_A, odd, undefined)).length).toBeGreaterThan(30)
  expect(await store.eraseUser(TENANT_A, odd)).toBeGreaterThan(30)
  expect(await store.page(TENANT_A, odd, undefined)).toEqual([])
})

describe('what comes after an erasure', () => {
  it('of a tenant is buried nowhere, while others are', async () => {
    await supabase.sql(`delete from tenants where id = '${TENANT_A}'`)
    const [gone, stays] = [letter(TENANT_A), letter(TENANT_B)]
    const unknown = letter(crypto.randomUUID())
    await record(recorder(), 'dead_letters', [gone, stays, unknown])
    const ids = (await supabase.sql<{ id: string }>('select id from dead_letters')).map(({ id }) => id)
    expect(ids.sort()).toEqual([stays.id, unknown.id].sort())
    // A tenant that was brought back from a backup is one like any other.
    await supabase.sql(`insert into tenants (id, name) values ('${TENANT_A}', 'acme')`)
    await record(recorder(), 'dead_letters', [gone])
    expect(await count('dead_letters')).toBe(3)
  })

  it('takes along the letters that came while it went on', async () => {
    await record(recorder(), 'dead_letters', [letter(TENANT_A), letter(TENANT_B)])
    await supabase.sql(`delete from tenants where id = '${TENANT_A}'`)
    expect(await count('dead_letters', `tenant_id = '${TENANT_A}'`)).toBe(0)
    expect(await count('dead_letters')).toBe(1)
  })

  it('of a user counts as nobody’s, unless it was made afterwards', async () => {
    await store.noteErasedUser(TENANT_A, user)
    const late = predictionRow(TENANT_A, Date.now() - 5_000, { user_hash: USER })
    const anew = predictionRow(TENANT_A, Date.now() + 60_000, { user_hash: USER })
    const namesake = predictionRow(TENANT_B, Date.now() - 5_000, { user_hash: USER })
    const other = predictionRow(TENANT_A, Date.now() - 5_000, { user_hash: 'o'.repeat(43) })
    await record(recorder(), 'ml_predictions', [late, anew, namesake, other])
    await record(recorder(), 'dead_letters', [letter(TENANT_A), letter(TENANT_B)])
    const hashes = await supabase.sql<{ id: string; user_hash: string | null }>(
      'select id, user_hash from ml_predictions',
    )
    const hashOf = new Map(hashes.map(({ id, user_hash }) => [id, user_hash]))
    expect([late, anew, namesake, other].map(({ id }) => hashOf.get(id))).toEqual([
      null,
      USER,
      USER,
      'o'.repeat(43),
    ])
    expect(
      await supabase.sql(
        `select tenant_id, record -> 'row' ->> 'user_hash' as hash from dead_letters order by tenant_id`,
      ),
    ).toEqual([
      { tenant_id: TENANT_A, hash: null },
      { tenant_id: TENANT_B, hash: USER },
    ])
  })

  it('is known of a user for 30 days, and no longer', async () => {
    await store.noteErasedUser(TENANT_A, user)
    await supabase.sql(`update erasures set erased_at = now() - interval '31 days'`)
    await supabase.sql(`insert into erasures (tenant_id, erased_at) values (gen_random_uuid(), '2020-01-01')`)
    await store.noteErasedUser(TENANT_B, user)
    const left = await supabase.sql<{ user_hash: string }>('select user_hash from erasures order by 1')
    expect(left.map(({ user_hash }) => user_hash)).toEqual(['', USER])
  })
})

describe('tags', () => {
  const tags = { team: 'search' }
  const paid = (row: { id: string; tenant_id: string; created_at: string }) => ({
    prediction_id: row.id,
    tenant_id: row.tenant_id,
    created_at: row.created_at,
    cost_usd: '0.25',
    tags,
  })
  const tagged = () => count('ledger', `tags @> '{"team":"search"}'`)

  it('are handed over, and go with the user whose requests had them', async () => {
    const hers = predictionRow(TENANT_A, now - 5_000, { user_hash: USER, tags })
    const others = predictionRow(TENANT_A, now - 5_000, { tags })
    await record(recorder(), 'ml_predictions', [hers, others])
    await record(recorder(), 'ledger', [paid(hers), paid(others)], 'prediction_id')
    const handed = (await store.page(TENANT_A, user, undefined)).map(({ record: text }) => JSON.parse(text))
    expect(handed.find(({ id }) => id === hers.id)?.tags).toEqual(tags)
    expect(await tagged()).toBe(2)
    while ((await store.eraseUser(TENANT_A, user)) > 0);
    expect([await tagged(), await count('ledger', 'cost_usd = 0.25')]).toEqual([1, 2])
    await store.noteErasedUser(TENANT_A, user)
    const late = predictionRow(TENANT_A, now - 4_000, { user_hash: USER, tags })
    await record(recorder(), 'ml_predictions', [late])
    expect(await count('ml_predictions', `id = '${late.id}' and tags = '{}'`)).toBe(1)
  })

  it.each([[['search']], [{ team: 7 }], [{ team: { a: 'b' } }], ['search'], [{ team: 'x'.repeat(2_100) }]])(
    'that are %j are no tags',
    async (bad) => {
      const row = predictionRow(TENANT_A, now, { tags: bad })
      await expect(record(recorder(), 'ml_predictions', [row])).rejects.toThrow(/tags|json/)
    },
  )
})

describe('the steps of an erasure', () => {
  const epoch = async (tenantId: string) =>
    (await supabase.sql<{ epoch: number }>(`select epoch from tenants where id = '${tenantId}'`))[0]?.epoch

  it('close a tenant, and never the system’s', async () => {
    await supabase.sql(
      `insert into virtual_keys (tenant_id, digest, hint) select id, rpad(id::text, 43, 'd'), 'hint' from tenants`,
    )
    await store.close(TENANT_A)
    expect(await count('virtual_keys', 'revoked_at is not null')).toBe(1)
    expect([await epoch(TENANT_A), await epoch(TENANT_B)]).toEqual([2, 1])
    await expect(store.close(SYSTEM_TENANT_ID)).rejects.toThrow()
    expect(await epoch(SYSTEM_TENANT_ID)).toBe(1)
  })

  it('count what cron has not, however old it is', async () => {
    const totals = async () => {
      const sum = (columns: string, table: string) =>
        supabase.sql(
          `select ${columns} from ${table} where tenant_id = '${TENANT_A}' group by starts_at order by 1`,
        )
      return [
        await sum('starts_at, sum(requests), sum(cost_usd)', 'roll_up_hours'),
        await sum('starts_at, sum(ratings)', 'feedback_hours'),
      ]
    }
    const before = await totals()
    expect(before.flat().length).toBeGreaterThan(50)
    for (const table of ['roll_up_minutes', 'roll_up_hours', 'feedback_hours'])
      await supabase.sql(`delete from ${table} where tenant_id = '${TENANT_A}'`)
    await supabase.sql(`update ml_predictions set stored_at = now() - interval '5 hours'`)
    await supabase.sql(`update prediction_minutes set stored_at = now() - interval '5 hours'`)
    await supabase.sql(`update quality_feedback set changed_at = now() - interval '5 hours'`)
    await store.close(TENANT_A)
    while ((await store.eraseTenant(TENANT_A)).get('tenants') === 0);
    expect(await totals()).toEqual(before)
  })

  it('clear the cache of one tenant in lots, and raise its epoch once, at the end', async () => {
    await supabase.sql(
      `insert into llm_cache (key, tenant_id, sealed, bytes, expires_at)
       select rpad(tenants.id::text || g, 43, 'k'), tenants.id, 's', 1, now() + interval '1 day'
       from tenants, generate_series(1, 1500) g where name in ('acme', 'other')`,
    )
    expect(await store.clearCache(TENANT_A)).toEqual({ removed: 1_000, isEmpty: false })
    expect(await epoch(TENANT_A)).toBe(1)
    expect(await store.clearCache(TENANT_A)).toEqual({ removed: 500, isEmpty: true })
    expect([await epoch(TENANT_A), await epoch(TENANT_B)]).toEqual([2, 1])
    expect(await count('llm_cache')).toBe(1_500)
  })
})
