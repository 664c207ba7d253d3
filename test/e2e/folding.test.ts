import { afterAll, beforeAll, expect, it } from 'vitest'
import { chatBody } from '../support/slots.ts'
import { chat, type Stack, startStack } from '../support/workers.ts'

let stack: Stack
beforeAll(async () => {
  // One row a second and tenant, two in a burst: what comes at once beyond it is added up.
  stack = await startStack({ HIT_ROWS_PER_SECOND: '1' })
})
afterAll(() => stack?.close())

const HITS = 40

it('adds up the hits of a busy tenant, counts each once, and lets each be rated', async () => {
  const [busy, quiet] = [await stack.key('busy', 'paid'), await stack.key('quiet', 'paid')]
  const ask = async (key: string) => {
    const response = await chat(stack.url, key, chatBody('again', { user: 'ada' }))
    await response.text()
    return {
      id: response.headers.get('x-beast-prediction') ?? '',
      cache: response.headers.get('cache-status') ?? '',
    }
  }
  const [miss, quietMiss] = [await ask(busy), await ask(quiet)]
  const hits = await Promise.all(Array.from({ length: HITS }, () => ask(busy)))
  const quietHit = await ask(quiet)
  for (const { cache } of hits) expect(cache).toContain('; hit;')
  const folded = hits.filter(({ id }) => id === miss.id).length
  expect(folded).toBeGreaterThan(HITS / 2)
  expect(new Set(hits.map(({ id }) => id)).size).toBe(HITS - folded + 1)
  expect(quietHit.id).not.toBe(quietMiss.id)

  const counted = async () => {
    const [row] = await stack.supabase.sql<{ rows: number; folded: number }>(
      `select (select count(*)::int from ml_predictions where cache = 'hit' and tenant_id = t.id) as rows,
        (select coalesce(sum(requests), 0)::int from prediction_minutes where tenant_id = t.id) as folded
       from tenants t where name = 'busy'`,
    )
    return row
  }
  await expect.poll(counted, { timeout: 25_000, interval: 200 }).toEqual({ rows: HITS - folded, folded })
  const minutes = await stack.supabase.sql(
    `select model, provider, cache, cache_tier, (select sum(n) from unnest(total_buckets) n)::int as counted, requests::int
     from prediction_minutes`,
  )
  for (const minute of minutes)
    expect(minute).toEqual({
      model: 'simulated:sim-small',
      provider: 'simulated',
      cache: 'hit',
      cache_tier: 'memory',
      counted: minute.requests,
      requests: minute.requests,
    })

  const rated = await fetch(`${stack.url}/api/feedback`, {
    method: 'POST',
    headers: { authorization: `Bearer ${busy}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      prediction_id: hits.find(({ id }) => id === miss.id)?.id,
      source: 'user',
      thumbs: 'up',
    }),
  })
  expect(rated.status).toBe(202)
  const matched = () =>
    stack.supabase.sql(`select prediction_id, model from quality_feedback where matched_at is not null`)
  await expect
    .poll(matched, { timeout: 25_000, interval: 200 })
    .toEqual([{ prediction_id: miss.id, model: 'simulated:sim-small' }])
})
