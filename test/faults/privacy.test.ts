import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { seededRandom } from '../../scripts/seeded-random.ts'
import { predictionRow } from '../database/rows.ts'
import { type Api, apiAt, codeOf } from '../support/api.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { everythingOf, fill, hashOf, TOTALS } from '../support/privacy.ts'
import { OPERATOR_TOKEN } from '../support/stores.ts'
import { type Stack, startStack } from '../support/workers.ts'

let stack: Stack
let proxy: FaultProxy
let api: Api
const DOWN = { kind: 'answer', status: 503, body: '<html>' } as const

beforeAll(async () => {
  stack = await startStack({}, async (url) => {
    proxy = await startFaultProxy(url)
    return proxy.url
  })
  api = apiAt(stack.url)
})
afterAll(async () => {
  await stack?.close()
  await proxy?.close()
})
beforeEach(() => proxy.set({ kind: 'none' }))

const admin = (method: string, path: string, body?: unknown) =>
  api(OPERATOR_TOKEN, method, `/api/admin/tenants/${path}`, body)
const idOf = async (name: string) =>
  (await stack.supabase.sql<{ id: string }>(`select id from tenants where name = '${name}'`))[0]?.id ?? ''
const made = async (name: string) => {
  await stack.key(name)
  const id = await idOf(name)
  await fill(stack.supabase, id)
  return id
}
/** Many rows, so that an erasure takes several calls. */
async function crowd(tenantId: string, rows: number, user_hash: string | null): Promise<void> {
  const row = predictionRow(tenantId, Date.now() - 60_000, { user_hash })
  const columns = Object.keys(row).filter((column) => column !== 'id')
  const json = JSON.stringify(row).replaceAll("'", "''")
  await stack.supabase.sql(
    `insert into ml_predictions (id, ${columns.join(', ')})
     select overlay(gen_random_uuid()::text placing '7' from 15)::uuid, ${columns.map((column) => `r.${column}`).join(', ')}
     from generate_series(1, ${rows}), jsonb_populate_record(null::ml_predictions, '${json}') as r`,
  )
}

describe('while the database is down', () => {
  it('both say so, and take nothing', async () => {
    const id = await made('down')
    const before = await everythingOf(stack.supabase, id)
    for (const fault of [DOWN, { kind: 'reset' } as const]) {
      proxy.set(fault)
      const answers = [
        await admin('GET', 'down/export'),
        await admin('GET', 'down/export?user=ann'),
        await admin('POST', 'down/erase', { confirm: 'down' }),
        await admin('POST', 'down/erase', { confirm: 'ann', user: 'ann' }),
      ]
      for (const answer of answers) {
        expect(codeOf(answer)).toEqual([503, 'store_unavailable'])
        expect(answer.headers.get('retry-after')).not.toBeNull()
      }
    }
    expect(await everythingOf(stack.supabase, id)).toEqual(before)
  })

  it('an export that has begun ends in an error, and not as if it were complete', async () => {
    const id = await made('half')
    await crowd(id, 3_500, null)
    // Each page takes its time, so that the fault comes between two of them.
    proxy.set({ kind: 'delay', ms: 400 })
    const response = await fetch(`${stack.url}/api/admin/tenants/half/export`, {
      headers: { authorization: `Bearer ${OPERATOR_TOKEN}` },
    })
    proxy.set(DOWN)
    const lines = (await response.text()).trimEnd().split('\n')
    expect(response.status).toBe(200)
    expect(lines.length).toBeGreaterThan(1_000)
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({
      error: { code: 'store_unavailable', tip: expect.any(String) },
    })
    expect(lines.filter((line) => line.includes('"complete"'))).toEqual([])
  })
})

describe('an erasure that breaks off again and again', () => {
  it.each([false, true])(
    'is ended by the same call (of one user: %s)',
    { timeout: 120_000 },
    async (ofUser) => {
      const seed = Date.now() & 0xffff
      console.log(`seed ${seed}`)
      const random = seededRandom(seed)
      const name = `broken-${ofUser ? 'user' : 'tenant'}`
      const [id, neighbour] = [await made(name), await made(`${name}-2`)]
      await crowd(id, 3_500, await hashOf(id, 'ann'))
      // An erasure brings everybody's totals up to date, so they are here already.
      await stack.supabase.sql(`select roll_up('-infinity', 'infinity')`)
      const [others] = await stack.supabase.sql<{ n: number }>(
        `select count(*)::int as n from ml_predictions where tenant_id = '${id}' and user_hash is null`,
      )
      const before = await everythingOf(stack.supabase, neighbour)
      const body = ofUser ? { confirm: 'ann', user: 'ann' } : { confirm: name }
      const faults = [
        { kind: 'lost-reply' },
        { ...DOWN, share: 0.3 },
        { ...DOWN, share: 0.15 },
        { kind: 'reset' },
        { kind: 'none' },
      ] as const
      let answer = await admin('POST', `${name}/erase`, {})
      for (let calls = 0; answer.status !== 200 && answer.status !== 404; calls++) {
        expect(calls).toBeLessThan(40)
        proxy.set(faults[Math.floor(random() * faults.length)] ?? DOWN)
        answer = await admin('POST', `${name}/erase`, body)
        expect([200, 202, 404, 503]).toContain(answer.status)
      }
      proxy.set({ kind: 'none' })
      if (ofUser) {
        const left = await stack.supabase.sql<{ user_hash: string | null; n: number }>(
          `select user_hash, count(*)::int as n from ml_predictions where tenant_id = '${id}' group by 1`,
        )
        expect(left).toEqual([{ user_hash: null, n: others?.n }])
      } else {
        const left = Object.keys(await everythingOf(stack.supabase, id))
        expect(left.filter((table) => !TOTALS.includes(table))).toEqual([])
        expect(codeOf(await admin('POST', `${name}/erase`, body))).toEqual([404, 'not_found'])
      }
      expect(await everythingOf(stack.supabase, neighbour)).toEqual(before)
    },
  )

  it('says how far it came where one call is not enough, and loses no key’s record on the way', async () => {
    const id = await made('many-keys')
    await stack.supabase.sql(
      `insert into virtual_keys (tenant_id, digest, hint)
       select '${id}', rpad('many' || g, 43, 'd'), 'hint' from generate_series(1, 50) g`,
    )
    const first = await admin('POST', 'many-keys/erase', { confirm: 'many-keys' })
    expect(first.status).toBe(202)
    expect(first.body).toMatchObject({ complete: false, removed: { virtual_keys: 30 } })
    const live = await stack.supabase.sql(
      `select id from virtual_keys where tenant_id = '${id}' and revoked_at is null`,
    )
    expect(live).toEqual([])
    const second = await admin('POST', 'many-keys/erase', { confirm: 'many-keys' })
    expect(second.status).toBe(200)
    expect(second.body).toMatchObject({ complete: true, removed: { virtual_keys: 22, tenants: 1 } })
  })
})
