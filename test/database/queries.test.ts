import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PostgrestResponse, SupabaseClient } from '@supabase/supabase-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EmbeddedSupabase } from '../../scripts/stack/supabase.ts'
import { ROOT, startTestSupabase, supabaseClient } from '../support/stores.ts'
import { clientOf, member } from './clients.ts'
import { VIEWS } from './rights.ts'
import { TENANT_A, TENANT_B } from './rows.ts'
import { seed } from './seed.ts'

type Row = Record<string, unknown>

const guide = await readFile(join(ROOT, 'docs/queries.md'), 'utf8')
const blocks = (language: string): string[] =>
  [...guide.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map((found) => found[1] ?? '')
const run = (example: string, supabase: SupabaseClient): PromiseLike<PostgrestResponse<Row>> =>
  new Function('supabase', `return ${example}`)(supabase)

let supabase: EmbeddedSupabase

/** Those that members may ask. */
const views = Object.keys(VIEWS).filter((view) => VIEWS[view] === 'own')

beforeAll(async () => {
  supabase = await startTestSupabase()
  await seed(supabase, 5, Date.now())
})
afterAll(() => supabase?.close())

describe('the questions of docs/queries.md', () => {
  it.each(blocks('sql').map((sql, index) => [index + 1, sql] as const))(
    'example %i runs and finds something',
    async (_, sql) => {
      expect(await supabase.sql(sql.trim().replace(/;$/, ''))).not.toEqual([])
    },
  )

  it.each(blocks('js'))('%s finds something, and nothing of the neighbour', async (example) => {
    const { data, error } = await run(example, clientOf(supabase, member(TENANT_A)))
    expect(error).toBeNull()
    expect(data).not.toEqual([])
    const withTenant = example.replace(/select\('/, "select('tenant_id, ")
    const own = await run(withTenant, clientOf(supabase, member(TENANT_A)))
    expect(new Set(own.data?.map((row) => row.tenant_id))).toEqual(new Set([TENANT_A]))
  })

  it('has an example of every view, in SQL and in code', () => {
    // Those of the dashboards have a guide of their own.
    const told = views.filter((view) => !view.startsWith('dashboard_'))
    expect(told).toHaveLength(12)
    for (const view of told) {
      expect(blocks('sql').join()).toContain(`from ${view}`)
      expect(blocks('js').join()).toContain(`from('${view}')`)
    }
  })
})

describe('every view', () => {
  const tenantsIn = async (client: SupabaseClient, view: string) => {
    const { data } = await client.from(view).select('tenant_id')
    return [...new Set((data ?? []).map((row) => row.tenant_id))].sort()
  }

  it('shows each tenant its own, the service all, and nobody else anything', async () => {
    for (const view of views) {
      expect([view, await tenantsIn(clientOf(supabase, member(TENANT_A)), view)]).toEqual([view, [TENANT_A]])
      expect([view, await tenantsIn(clientOf(supabase, member(TENANT_B)), view)]).toEqual([view, [TENANT_B]])
      expect([view, await tenantsIn(clientOf(supabase), view)]).toEqual([view, []])
      expect([view, await tenantsIn(clientOf(supabase, { role: 'authenticated' }), view)]).toEqual([view, []])
      expect(await tenantsIn(supabaseClient(supabase), view)).toEqual(
        expect.arrayContaining([TENANT_A, TENANT_B]),
      )
    }
  })

  it('says what the raw rows say', async () => {
    const [raw] = await supabase.sql(
      `select count(*) + 10 as requests, count(*) filter (where outcome = 'error') as errors,
        (sum(saved_usd) filter (where cache = 'hit') + 0.00027)::float8 as saved, sum(cost_usd)::float8 as cost
       from ml_predictions where tenant_id = '${TENANT_A}'`,
    )
    const [told] = await supabase.sql(
      `select (select sum(requests) from requests_by_minute where tenant_id = '${TENANT_A}')::bigint as requests,
        (select errors from tenant_overview where tenant_id = '${TENANT_A}')::bigint as errors,
        (select sum(saved_usd) from cache_by_hour where tenant_id = '${TENANT_A}')::float8 as saved,
        (select sum(cost_usd) from cost_by_hour where tenant_id = '${TENANT_A}')::float8 as cost`,
    )
    expect(told).toEqual(raw)
    const [ledger] = await supabase.sql(
      `select (select sum(cost_usd) from ledger) = (select sum(cost_usd) from roll_up_hours) as same`,
    )
    expect(ledger).toEqual({ same: true })
    const [answers] = await supabase.sql(
      `select sum(a.ratings)::int as ratings, sum(a.ratings_of_hits)::int as of_hits,
        count(*) filter (where exists (select from ml_predictions p where p.cached_prediction_id = a.prediction_id))::int
          as repeated
       from answer_ratings a`,
    )
    const [given] = await supabase.sql(
      `select count(*)::int as ratings, count(p.cached_prediction_id)::int as of_hits,
        count(distinct p.cached_prediction_id)::int as repeated
       from quality_feedback f join ml_predictions p on p.id = f.prediction_id where f.matched_at is not null`,
    )
    expect(answers).toEqual(given)
    expect(given?.of_hits).toBeGreaterThan(0)
  })
})
