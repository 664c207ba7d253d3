import { type Context, Hono } from 'hono'
import { GatewayError } from '../../../src/core/errors.ts'
import { isObject } from '../../../src/core/json.ts'
import type { Budget, BudgetPeriod, BudgetState } from '../../../src/cost/budget.ts'
import { isPeriod } from '../../../src/cost/budget-book.ts'
import { toNanoUsd, toUsd } from '../../../src/cost/nano-usd.ts'
import { OPERATOR } from '../../../src/tenants/audit.ts'
import { TENANT_NAME } from '../../../src/tenants/tenant.ts'
import type { AppEnv } from '../context.ts'
import { readSmallJson } from '../json-body.ts'
import { actorOf } from '../middleware/actor.ts'
import { audited } from '../middleware/audit.ts'
import { operatorOnly } from '../middleware/operator.ts'
import { stored } from '../stored.ts'
import { tenantIdOf } from '../tenant-of.ts'

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const MAX_LIMIT_USD = 1_000_000

/** /api/budgets: what a tenant and its keys may spend. Tenants read, the operator sets. */
export const budgets = new Hono<AppEnv>()
  .get('/', async (c) => {
    const { tenantId } = await actorOf(c)
    const states = await c.env.services.budgets.states(tenantId)
    return c.json({ data: states.map(toJson) }, 200, { 'cache-control': 'no-store' })
  })
  .put('/', operatorOnly, async (c) => {
    const { tenant, budget } = parseBudget(await readSmallJson(c.req.raw))
    const tenantId = await tenantIdOf(c, tenant)
    const { keyId, period, limitNanoUsd, isHard } = budget
    const entry = {
      action: 'budget.set',
      tenantId,
      target: placeOf(keyId, period),
      ...(await beforeOf(c, tenantId, keyId, period)),
      after: { limit_usd: toUsd(limitNanoUsd), hard: isHard },
    }
    await audited(c, OPERATOR, entry, () => stored(c.env.services.budgets.put(tenantId, budget)))
    return c.json({ data: (await c.env.services.budgets.states(tenantId)).map(toJson) })
  })
  .delete('/', operatorOnly, async (c) => {
    const { tenant, keyId, period } = parsePlace(c.req.query())
    const tenantId = await tenantIdOf(c, tenant)
    const entry = {
      action: 'budget.remove',
      tenantId,
      target: placeOf(keyId, period),
      ...(await beforeOf(c, tenantId, keyId, period)),
    }
    await audited(c, OPERATOR, entry, async () => {
      if (!(await stored(c.env.services.budgets.remove(tenantId, keyId, period)))) throw noSuchBudget()
    })
    return c.json({ removed: true })
  })

const placeOf = (keyId: string | null, period: BudgetPeriod): string => `${keyId ?? 'all'}/${period}`

/** What the audit log is told of the budget that there was; nothing where the account does not answer. */
async function beforeOf(c: Context<AppEnv>, tenantId: string, keyId: string | null, period: BudgetPeriod) {
  const states = await c.env.services.budgets.states(tenantId).catch(() => [])
  const seen = states.find((state) => state.keyId === keyId && state.period === period)
  return seen && { before: { limit_usd: toUsd(seen.limitNanoUsd), hard: seen.isHard } }
}

const noSuchBudget = () =>
  new GatewayError(
    'not_found',
    'There is no such budget.',
    'List the budgets with GET /api/budgets?tenant=NAME.',
  )

const toJson = ({ keyId, period, isHard, ...state }: BudgetState) => ({
  key_id: keyId,
  period,
  hard: isHard,
  limit_usd: toUsd(state.limitNanoUsd),
  spent_usd: toUsd(state.spentNanoUsd),
  reserved_usd: toUsd(state.reservedNanoUsd),
  resets_at: new Date(state.resetsAtMs).toISOString(),
})

/** Strict: a misspelt "hard" or "key_id" would make another budget than was meant. */
function parseBudget(body: unknown): { tenant: string; budget: Budget } {
  const { limit_usd: limit, hard, ...place } = isObject(body) ? body : {}
  const { tenant, keyId, period } = parsePlace(place)
  if (!(typeof limit === 'number' && limit >= 0 && limit <= MAX_LIMIT_USD))
    throw invalid(
      'limit_usd',
      'The field "limit_usd" is no amount.',
      `Use a number from 0 to ${MAX_LIMIT_USD}.`,
    )
  if (typeof hard !== 'boolean')
    throw invalid(
      'hard',
      'The field "hard" is missing, or neither true nor false.',
      'Say true to have requests refused, false to have them only counted.',
    )
  return { tenant, budget: { keyId, period, limitNanoUsd: toNanoUsd(limit), isHard: hard } }
}

function parsePlace({
  tenant,
  key_id: keyId,
  period,
  ...others
}: {
  readonly tenant?: unknown
  readonly key_id?: unknown
  readonly period?: unknown
}): { tenant: string; keyId: string | null; period: BudgetPeriod } {
  const [unknown] = Object.keys(others)
  if (unknown !== undefined)
    throw invalid(unknown, `There is no "${unknown}" here.`, 'See docs/budgets.md for what there is.')
  if (typeof tenant !== 'string' || !TENANT_NAME.test(tenant))
    throw invalid('tenant', 'The tenant is missing, or no valid name.', 'Name it as "tenant".')
  if (keyId !== undefined && keyId !== null && !(typeof keyId === 'string' && UUID.test(keyId)))
    throw invalid(
      'key_id',
      'What stands as "key_id" is not the id of a key.',
      'Use an id from npm run keys -- list, or leave it out to mean the whole tenant.',
    )
  if (!isPeriod(period))
    throw invalid('period', 'The period is missing, or unknown.', 'Use "day" or "month".')
  return { tenant, keyId: typeof keyId === 'string' ? keyId.toLowerCase() : null, period }
}

const invalid = (param: string, message: string, tip: string) =>
  new GatewayError('invalid_request', message, tip, { param })
