import type { SupabaseClient } from '@supabase/supabase-js'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { EmbeddedSupabase } from '../../scripts/stack/supabase.ts'
import { startTestSupabase, supabaseClient } from '../support/stores.ts'
import { clientOf, member, READER, RECORDER, tokenOf } from './clients.ts'
import { columnsOf, expected, type Outcome, ROLES, type Role, TABLES, VERBS, type Verb } from './rights.ts'
import { TENANT_A, TENANT_B } from './rows.ts'

let supabase: EmbeddedSupabase
let clients: Record<Role, SupabaseClient>
/** Before the first request over HTTP, with which the embedded Supabase grants anon and authenticated everything. */
let granted: string[]

beforeAll(async () => {
  // The embedded database prints every refusal, with all that was refused.
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
  supabase = await startTestSupabase()
  const grants = await supabase.sql<{ what: string }>(
    `select role || ' ' || verb || ' ' || relname as what
     from pg_class, unnest(array['anon', 'authenticated', 'beast_recorder', 'beast_reader']) as role,
       unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) as verb
     where relnamespace = 'public'::regnamespace and relkind = 'r' and has_table_privilege(role, oid, verb)
     order by 1`,
  )
  granted = grants.map(({ what }) => what)
  clients = {
    anon: clientOf(supabase),
    member: clientOf(supabase, member(TENANT_A)),
    neighbour: clientOf(supabase, member(TENANT_B)),
    // What a user may write about itself gives no right.
    stranger: clientOf(supabase, { role: 'authenticated', user_metadata: { tenant_id: TENANT_A } }),
    recorder: clientOf(supabase, RECORDER),
    reader: clientOf(supabase, READER),
    service: supabaseClient(supabase),
  }
  await supabase.sql(
    `insert into tenants (id, name, keeps_text) values ('${TENANT_A}', 'a', true), ('${TENANT_B}', 'b', true)`,
  )
  for (const [table, { row }] of Object.entries(TABLES))
    if (table !== 'tenants')
      await clients.service
        .from(table)
        .insert([row(TENANT_A), row(TENANT_B)])
        .throwOnError()
})
afterAll(() => supabase?.close())

const tenantColumn = (table: string) => (table === 'tenants' ? 'id' : 'tenant_id')
const rowsOf = async (table: string) =>
  (await supabase.sql<{ row: string }>(`select to_jsonb(t)::text as row from ${table} t order by 1`)).map(
    ({ row }) => row,
  )

async function read(table: string, role: Role): Promise<Outcome> {
  const { data, error } = await clients[role].from(table).select(columnsOf(table, role))
  if (error) return 'refused'
  const rows = data as unknown as Record<string, unknown>[]
  if (rows.length === 0) return 'none'
  if (rows.length === (await rowsOf(table)).length) return 'all'
  const own = { member: TENANT_A, neighbour: TENANT_B }[role as 'member' | 'neighbour']
  return rows.every((row) => row[tenantColumn(table)] === own) ? 'own' : 'all'
}

/** Tries on everything in reach, and judges by what has become of the table. */
async function write(table: string, role: Role, verb: Exclude<Verb, 'select'>): Promise<Outcome> {
  const { row, change } = TABLES[table] as (typeof TABLES)[string]
  const at = clients[role].from(table)
  const before = await rowsOf(table)
  const { error } =
    verb === 'insert'
      ? await at.insert(row(TENANT_A))
      : verb === 'update'
        ? await at.update(change).in(tenantColumn(table), [TENANT_A, TENANT_B])
        : await at.delete().in(tenantColumn(table), [TENANT_B])
  const changed = JSON.stringify(await rowsOf(table)) !== JSON.stringify(before)
  if (error) return changed ? 'done' : 'refused'
  return changed ? 'done' : 'none'
}

describe('rights', () => {
  it('are declared for every table', async () => {
    const tables = await supabase.sql<{ name: string; safe: boolean }>(
      `select relname as name, relrowsecurity and relforcerowsecurity as safe from pg_class
       where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'm', 'f') order by 1`,
    )
    expect(tables).toEqual(
      Object.keys(TABLES)
        .sort()
        .map((name) => ({ name, safe: true })),
    )
  })

  it('are granted to nobody beyond what policies need', () => {
    const verbs = Object.entries(TABLES).flatMap(([table, { members, recorder, reader }]) => [
      ...(members === 'own' ? [`authenticated select ${table}`] : []),
      ...VERBS.flatMap((verb, place) => [
        ...(recorder[place] === 'refused' || (columnsOf(table, 'recorder') !== '*' && verb === 'select')
          ? []
          : [`beast_recorder ${verb} ${table}`]),
        ...(reader[place] === 'refused' ? [] : [`beast_reader ${verb} ${table}`]),
      ]),
    ])
    expect(granted).toEqual(verbs.sort())
  })

  // The tenants go last: with one of them goes all that is its own.
  const tables = Object.keys(TABLES).sort((a, b) => Number(a === 'tenants') - Number(b === 'tenants'))
  it.each(tables)('%s: what each role may read and write', async (table) => {
    const seen: Record<string, Outcome> = {}
    for (const role of ROLES)
      for (const verb of VERBS)
        seen[`${role} ${verb}`] = verb === 'select' ? await read(table, role) : await write(table, role, verb)
    const declared = ROLES.flatMap((role) =>
      VERBS.map((verb) => [`${role} ${verb}`, expected(table, role, verb)]),
    )
    expect(seen).toEqual(Object.fromEntries(declared))
  })

  it('need a token that the project signed, and a tenant that is one', async () => {
    const forged = tokenOf(RECORDER, 'x'.repeat(43))
    const response = await fetch(`${supabase.url}/rest/v1/tenants?select=id`, {
      headers: { apikey: supabase.publishableKey, authorization: `Bearer ${forged}` },
    })
    expect(response.status).toBe(401)
    for (const tenant of ['', "' or true --", TENANT_A.slice(1), null, {}]) {
      const client = clientOf(supabase, { role: 'authenticated', tenant_id: tenant })
      expect((await client.from('ml_predictions').select('id')).data ?? []).toEqual([])
    }
  })
})

describe('functions and views', () => {
  it('have the rights of whoever asks, a fixed search path, and are open to nobody', async () => {
    const open = await supabase.sql(
      `select proname from pg_proc where pronamespace = 'public'::regnamespace and (
        prosecdef or proconfig is null or not 'search_path=""' = any (proconfig)
        or has_function_privilege('anon', oid, 'execute')
      )`,
    )
    expect(open).toEqual([])
    const views = await supabase.sql(
      `select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'v'
        and not coalesce(reloptions @> array['security_invoker=true'], false)`,
    )
    expect(views).toEqual([])
  })

  it('never run text as SQL', async () => {
    const dynamic = await supabase.sql(
      `select proname from pg_proc where pronamespace = 'public'::regnamespace and prosrc ~* '\\mexecute\\M'`,
    )
    expect(dynamic).toEqual([])
  })

  it('of the service are refused to everyone else', async () => {
    for (const role of ['anon', 'member', 'recorder', 'reader'] as const) {
      for (const [name, args] of [
        ['prune_expired', {}],
        ['export_tenant', { exported_tenant: TENANT_A }],
        ['export_user', { exported_tenant: TENANT_A, exported_user_hash: 'u' }],
        ['erase_tenant', { erased_tenant: TENANT_A }],
        ['erase_user', { erased_tenant: TENANT_A, erased_user_hash: 'u' }],
        ['prune_llm_cache', { max_entries: 0 }],
        ['export_page', { exported_tenant: TENANT_A }],
        ['close_tenant', { closed_tenant: TENANT_A }],
        ['clear_cache', { cleared_tenant: TENANT_A }],
        ['note_erased_user', { erased_tenant: TENANT_A, erased_user_hash: 'u'.repeat(43) }],
      ] as const)
        expect([role, name, (await clients[role].rpc(name, args)).error?.code]).toEqual([role, name, '42501'])
    }
  })
})
