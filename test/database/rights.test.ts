import type { SupabaseClient } from '@supabase/supabase-js'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { onEachDatabase } from '../support/databases.ts'
import { supabaseClient, type TestDatabase } from '../support/stores.ts'
import { clientOf, KEEPER, member, READER, RECORDER, tokenOf } from './clients.ts'
import {
  BUDGET_KEYS,
  columnsOf,
  expected,
  FUNCTIONS,
  GRANTS,
  type Outcome,
  ownerColumn,
  ROLES,
  type Role,
  TABLES,
  VERBS,
  type Verb,
  VIEWS,
} from './rights.ts'
import { TENANT_A, TENANT_B } from './rows.ts'

function newRow(table: string, tenantId: string): Record<string, unknown> {
  const { row, apart } = TABLES[table] as (typeof TABLES)[string]
  return { ...row(tenantId), ...apart?.() }
}

onEachDatabase((start, genuine) => {
  let supabase: TestDatabase
  let clients: Record<Role, SupabaseClient>
  /** Before the first request over HTTP, with which the embedded Supabase grants anon and authenticated everything. */
  let granted: Record<string, Record<string, string>>
  let grantedOnViews: typeof granted

  /** What each role was granted on each table, to the column; or on each view. */
  async function grantsOf(roles: readonly string[], kinds = "'r', 'p', 'm', 'f'"): Promise<typeof granted> {
    const rows = await supabase.sql<{ role: string; table: string; verbs: string }>(
      `select role, relname as table, string_agg(verb || coalesce('(' || columns || ')', ''), ' ' order by verb) as verbs
     from pg_class, unnest(array['${roles.join("','")}']) as role,
       unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) as verb
     left join lateral (
       select string_agg(attname, ',' order by attnum) as columns from pg_attribute
       where attrelid = pg_class.oid and attnum > 0 and not attisdropped
         and verb in ('select', 'insert', 'update', 'references')
         and not has_table_privilege(role, pg_class.oid, verb)
         and has_column_privilege(role, pg_class.oid, attnum, verb)
     ) as partly on true
     where relnamespace = 'public'::regnamespace and relkind in (${kinds})
       and (columns is not null or has_table_privilege(role, pg_class.oid, verb))
     group by 1, 2`,
    )
    const found: typeof granted = Object.fromEntries(roles.map((role) => [role, {}]))
    for (const { role, table, verbs } of rows) (found[role] as Record<string, string>)[table] = verbs
    return found
  }

  beforeAll(async () => {
    // The embedded database prints every refusal, with all that was refused.
    vi.spyOn(console, 'error').mockImplementation(() => undefined)
    supabase = await start()
    granted = await grantsOf(['anon', ...Object.keys(GRANTS)])
    grantedOnViews = await grantsOf(['anon', ...Object.keys(GRANTS)], "'v'")
    clients = {
      anon: clientOf(supabase),
      member: clientOf(supabase, member(TENANT_A)),
      neighbour: clientOf(supabase, member(TENANT_B)),
      // What a user may write about itself gives no right.
      stranger: clientOf(supabase, { role: 'authenticated', user_metadata: { tenant_id: TENANT_A } }),
      recorder: clientOf(supabase, RECORDER),
      keeper: clientOf(supabase, KEEPER),
      reader: clientOf(supabase, READER),
      service: supabaseClient(supabase),
    }
    await supabase.sql(
      `insert into tenants (id, name, keeps_text) values ('${TENANT_A}', 'a', true), ('${TENANT_B}', 'b', true)`,
    )
    await clients.service
      .from('virtual_keys')
      .insert(BUDGET_KEYS.map((id) => ({ ...TABLES.virtual_keys?.row(TENANT_A), id })))
      .throwOnError()
    for (const table of Object.keys(TABLES))
      if (table !== 'tenants')
        await clients.service
          .from(table)
          .insert([newRow(table, TENANT_A), newRow(table, TENANT_B)])
          .throwOnError()
  })
  afterAll(() => supabase?.close())

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
    return rows.every((row) => row[ownerColumn(table)] === own) ? 'own' : 'all'
  }

  /** Tries on everything in reach, and judges by what has become of the table. */
  async function write(table: string, role: Role, verb: Exclude<Verb, 'select'>): Promise<Outcome> {
    const { change } = TABLES[table] as (typeof TABLES)[string]
    const at = clients[role].from(table)
    // Several may delete, and each is to find something.
    if (verb === 'delete' && table !== 'tenants')
      await clients.service.from(table).insert(newRow(table, TENANT_B)).throwOnError()
    const before = await rowsOf(table)
    const { error } =
      verb === 'insert'
        ? await at.insert(newRow(table, TENANT_A))
        : verb === 'update'
          ? await at.update(change).in(ownerColumn(table), [TENANT_A, TENANT_B])
          : await at.delete().in(ownerColumn(table), [TENANT_B])
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
      expect(granted).toEqual({ anon: {}, ...GRANTS })
    })

    // The tenants go last: with one of them goes all that is its own.
    const tables = Object.keys(TABLES).sort((a, b) => Number(a === 'tenants') - Number(b === 'tenants'))
    it.each(tables)('%s: what each role may read and write', async (table) => {
      const seen: Record<string, Outcome> = {}
      for (const role of ROLES)
        for (const verb of VERBS)
          seen[`${role} ${verb}`] =
            verb === 'select' ? await read(table, role) : await write(table, role, verb)
      const declared = ROLES.flatMap((role) =>
        VERBS.map((verb) => [`${role} ${verb}`, expected(table, role, verb, genuine)]),
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

    it('are read by members where they are for members, and by nobody else', async () => {
      const views = await supabase.sql<{ name: string }>(
        `select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'v' order by 1`,
      )
      expect(views.map(({ name }) => name)).toEqual(Object.keys(VIEWS).sort())
      const nobody = Object.fromEntries(['anon', ...Object.keys(GRANTS)].map((role) => [role, {}]))
      const members = Object.entries(VIEWS).flatMap(([view, who]) =>
        who === 'own' ? [[view, 'select']] : [],
      )
      expect(grantedOnViews).toEqual({ ...nobody, authenticated: Object.fromEntries(members) })
    })

    it('never run text as SQL', async () => {
      const dynamic = await supabase.sql(
        `select proname from pg_proc where pronamespace = 'public'::regnamespace and prosrc ~* '\\mexecute\\M'`,
      )
      expect(dynamic).toEqual([])
    })

    it('are open to those who are named, and to nobody else', async () => {
      for (const [role, names] of Object.entries(FUNCTIONS)) {
        const open = await supabase.sql<{ proname: string }>(
          `select proname from pg_proc where pronamespace = 'public'::regnamespace
           and has_function_privilege('${role}', oid, 'execute') order by 1`,
        )
        expect([role, open.map(({ proname }) => proname)]).toEqual([role, names])
      }
    })

    it('of others are refused over HTTP', async () => {
      const calls = {
        prune_expired: {},
        export_tenant: { exported_tenant: TENANT_A },
        export_user: { exported_tenant: TENANT_A, exported_user_hash: 'u' },
        erase_tenant: { erased_tenant: TENANT_A },
        erase_user: { erased_tenant: TENANT_A, erased_user_hash: 'u' },
        prune_llm_cache: { max_entries: 0 },
        prune_dead_letters: {},
        count_llm_cache: {},
        settle_dead_letters: {},
        export_page: { exported_tenant: TENANT_A },
        close_tenant: { closed_tenant: TENANT_A },
        clear_cache: { cleared_tenant: TENANT_A },
        purge_answers: { purged_tenant: TENANT_A, at_ms: 1 },
        cache_stats: { counted_tenant: TENANT_A, at_ms: 1 },
        costs: { of_tenant: TENANT_A },
        cost_lines: { of_tenant: TENANT_A, since: '-infinity', until: 'infinity' },
        spend_history: { of_tenant: TENANT_A, days: 1, slot_minutes: 60 },
        note_erased_user: { erased_tenant: TENANT_A, erased_user_hash: 'u'.repeat(43) },
        roll_up: { stored_from: '-infinity', stored_to: 'infinity' },
        match_feedback: {},
        cached_answer: { cached_tenant: TENANT_A, cached_key: 'k'.repeat(43) },
        write_audit: {
          entry_id: crypto.randomUUID(),
          of_tenant: TENANT_A,
          by_actor: 'operator',
          by_id: null,
          done_action: 'key.create',
          of_request: 'r',
          on_target: null,
          state_before: null,
          state_after: null,
        },
        dashboard_history: { since: '2026-01-01', step_seconds: 3600 },
      }
      for (const role of ['anon', 'member', 'recorder', 'keeper', 'reader'] as const) {
        for (const [name, args] of Object.entries(calls)) {
          const allowed = FUNCTIONS[`beast_${role}`]?.includes(name)
          const code = (await clients[role].rpc(name, args)).error?.code
          expect([role, name, code]).toEqual([role, name, allowed ? undefined : '42501'])
        }
      }
    })
  })

  describe('a cached answer', () => {
    it('is found by tenant and key, and by nothing else', async () => {
      const [key, other] = ['a', 'b'].map((letter) => letter.repeat(43))
      const row = { bytes: 1, sealed: 'sealed', expires_at: '2099-01-01T00:00:00Z' }
      await supabase.sql(`insert into tenants (id, name) values ('${TENANT_B}', 'b') on conflict do nothing`)
      await clients.service
        .from('llm_cache')
        .insert([
          { ...row, key, tenant_id: TENANT_B },
          { ...row, key: other, tenant_id: TENANT_B, expires_at: '2020-01-01T00:00:00Z' },
        ])
        .throwOnError()
      const look = async (cached_tenant: string, cached_key: string | undefined) =>
        (await clients.reader.rpc('cached_answer', { cached_tenant, cached_key }).throwOnError()).data
      expect(await look(TENANT_B, key)).toBe('sealed')
      expect(await look(TENANT_A, key)).toBeNull()
      expect(await look(TENANT_B, other)).toBeNull()
      expect(await look(TENANT_B, '')).toBeNull()
      // Nor after it was looked up, nor by settings that a caller may send.
      for (const headers of [{}, { 'beast.cached_key': key, 'beast.cached_tenant': TENANT_B }])
        expect(await look(TENANT_B, key).then(() => listAsReader(headers as Record<string, string>))).toEqual(
          [],
        )
      const [{ data: own }] = [
        await clients.service.rpc('cached_answer', { cached_tenant: TENANT_B, cached_key: key }),
      ]
      expect(own).toBe('sealed')
    })
  })

  async function listAsReader(headers: Record<string, string>): Promise<unknown> {
    const response = await fetch(`${supabase.url}/rest/v1/llm_cache?select=key,sealed`, {
      headers: {
        apikey: supabase.publishableKey,
        authorization: `Bearer ${tokenOf({ ...READER, 'beast.cached_tenant': TENANT_B })}`,
        ...headers,
      },
    })
    return response.json()
  }
})
