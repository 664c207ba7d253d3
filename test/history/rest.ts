import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect } from 'vitest'
import { totalOf } from '../../src/metrics/totals.ts'
import type { RecordingStack } from '../support/recording-stack.ts'
import { OPERATOR_TOKEN } from '../support/stores.ts'
import type { Stored, StoredRow } from './checker.ts'
import type { Clients, ClientTenant } from './clients.ts'

/** No batch and no second coming of a message takes longer to be seen again. */
const QUIET_MS = 3_000

/**
 * Waits until nothing is under way any more, makes the time pass after which announced requests count as abandoned,
 * and waits again: then no outbox and no queue holds anything.
 * @returns how many requests were abandoned
 */
export async function comeToRest(
  stack: RecordingStack,
  clients: Clients,
  tenants: readonly ClientTenant[],
  timeoutMs: number,
): Promise<number> {
  await untilQuiet(stack, timeoutMs)
  await stack.gateway.kill()
  const abandoned = onOutboxes(stack, 'update outbox set due_ms = 1 where due_ms > 1')
  await stack.gateway.start()
  // Asking it anything wakes a tenant's object.
  for (const tenant of tenants) await clients.ask(tenant)
  await untilQuiet(stack, timeoutMs)
  await stack.gateway.kill()
  expect(onOutboxes(stack, 'delete from outbox')).toBe(0)
  return abandoned
}

async function untilQuiet({ gateway, queue }: RecordingStack, timeout: number): Promise<void> {
  const held = async (): Promise<number> => {
    const headers = { authorization: `Bearer ${OPERATOR_TOKEN}` }
    const answer = (await (await fetch(`${gateway.url}/readyz`, { headers })).json()) as {
      isolate: { telemetry: { held: number } }
    }
    return answer.isolate.telemetry.held
  }
  await expect.poll(held, { timeout, interval: 200 }).toBe(0)
  const sinceMs = Date.now()
  const quietMs = () => Math.min(queue.idleMs(), Date.now() - sinceMs)
  await expect.poll(quietMs, { timeout, interval: 200 }).toBeGreaterThan(QUIET_MS)
}

/** Runs SQL on every account's outbox, whose worker must be down. @returns how many rows it changed */
function onOutboxes({ accounts }: RecordingStack, sql: string): number {
  let changes = 0
  for (const name of readdirSync(accounts)) {
    if (!name.endsWith('.sqlite') || name.startsWith('metadata')) continue
    const file = new DatabaseSync(join(accounts, name))
    changes += Number(file.prepare(sql).run().changes)
    file.close()
  }
  return changes
}

/** Everything that is in the tables, of whomever. */
export async function readStored({ supabase: { sql } }: RecordingStack): Promise<Stored> {
  return {
    predictions: await sql<StoredRow>('select id, request_id as op, tenant_id as tenant from ml_predictions'),
    feedback: await sql<StoredRow>(
      `select h.id, h.tags[1] as op, h.tenant_id as tenant, h.prediction_id as about,
         f.matched_at is not null as matched
       from quality_feedback_history h left join quality_feedback f using (tenant_id, prediction_id, source)`,
    ),
    buried: await sql<StoredRow>(
      `select id, coalesce(record -> 'row' ->> 'request_id', record -> 'row' -> 'tags' ->> 0, id::text) as op,
         tenant_id as tenant from dead_letters`,
    ),
  }
}

/** What the ledger and the predictions say, and what was counted of it; dollars. */
export async function readCosts({ supabase: { sql }, counted }: RecordingStack) {
  const [stored] = await sql<{ ledger: number; hits: number; waiting: number }>(
    `select (select coalesce(sum(cost_usd), 0)::float8 from ledger) as ledger,
       (select coalesce(sum(saved_usd), 0)::float8 from ml_predictions)
         + (select coalesce(sum(saved_usd), 0)::float8 from prediction_minutes) as hits,
       (select count(*)::int from cost_counts) as waiting`,
  )
  const counters = await counted()
  return {
    ledgerUsd: stored?.ledger ?? 0,
    spentUsd: totalOf(counters, 'cost_usd_total'),
    tenantsUsd: totalOf(counters, 'tenant_cost_usd_total'),
    hitsUsd: stored?.hits ?? 0,
    savedUsd: totalOf(counters, 'cost_saved_usd_total'),
    waiting: stored?.waiting ?? -1,
  }
}
