import { type Context, Hono } from 'hono'
import * as z from 'zod/mini'
import { GatewayError } from '../../../src/core/errors.ts'
import { judge, tipIn } from '../../../src/core/schema.ts'
import { costReport, DIMENSIONS, isTimeZone } from '../../../src/cost/costs.ts'
import { costCsv } from '../../../src/cost/costs-csv.ts'
import {
  ANOMALY_DAYS,
  ANOMALY_SLOT_MINUTES,
  anomalies,
  FORECAST_DAYS,
  outlook,
} from '../../../src/cost/costs-outlook.ts'
import { TAG_KEY } from '../../../src/cost/tags.ts'
import { OPERATOR } from '../../../src/tenants/audit.ts'
import { TENANT_NAME } from '../../../src/tenants/tenant.ts'
import type { AppEnv } from '../context.ts'
import { readSmallJson } from '../json-body.ts'
import { actorOf } from '../middleware/actor.ts'
import { audited } from '../middleware/audit.ts'
import { bearer } from '../middleware/bearer.ts'
import { isOperator, operatorOnly } from '../middleware/operator.ts'
import { stored } from '../stored.ts'

const MAX_BY = 8
const MAX_TOP = 1_000
const NO_STORE = { 'cache-control': 'no-store' }

const querySchema = z.strictObject({
  tenant: z.optional(z.string()),
  from: z.optional(z.iso.date()),
  to: z.optional(z.iso.date()),
  by: z.optional(z.string().check(z.maxLength(500))),
  top: z.optional(z.string().check(z.regex(/^[1-9]\d{0,3}$/))),
  include: z.optional(z.string().check(z.maxLength(100))),
  least_extra_usd: z.optional(z.string().check(z.regex(/^\d{1,6}(\.\d{1,9})?$/))),
  format: z.optional(z.enum(['json', 'csv'])),
})

const zoneSchema = z.strictObject({
  tenant: z.string().check(z.regex(TENANT_NAME)),
  time_zone: z.string().check(z.refine(isTimeZone)),
})

const PARTS = ['forecast', 'anomalies'] as const

/** /api/costs: what was spent, on what and by whom, what was saved, and what is to come. Of one's own tenant, or the operator's choice. */
export const costs = new Hono<AppEnv>()
  .get('/', async (c) => {
    const tenantId = await tenantIdOf(c)
    const { question, include, leastExtraUsd, isCsv } = parseQuery(c.req.query(), c.req.header('accept'))
    const { services } = c.env
    const found = await stored(services.costs.costs({ ...question, tenantId }))
    if (!found) throw tooManyDays()
    if (isCsv)
      return c.body(costCsv(found, question.dimensions), 200, {
        ...NO_STORE,
        'content-type': 'text/csv; charset=utf-8; header=present',
        'content-disposition': `attachment; filename="costs-${found.first_day}-${found.last_day}.csv"`,
      })
    const [forecast, unusual] = await Promise.all([
      include.has('forecast') ? forecastOf(c, tenantId) : undefined,
      include.has('anomalies') ? anomaliesOf(c, tenantId, leastExtraUsd) : undefined,
    ])
    return c.json(
      { ...costReport(found), ...(forecast && { forecast }), ...(unusual && { anomalies: unusual }) },
      200,
      NO_STORE,
    )
  })
  .put('/time-zone', operatorOnly, async (c) => {
    const { tenant, time_zone } = judge(zoneSchema, await readSmallJson(c.req.raw), tipFor)
    const { directory, costs } = c.env.services
    const known = await stored(directory.tenantNamed(tenant))
    if (!known)
      throw new GatewayError(
        'not_found',
        'There is no tenant of this name.',
        'A tenant is made with its first key: npm run keys -- create --tenant NAME.',
        { param: 'tenant' },
      )
    const entry = { action: 'time_zone.set', tenantId: known.id, after: { time_zone } }
    await audited(c, OPERATOR, entry, async () => {
      if (!(await stored(costs.setTimeZone(known.id, time_zone))))
        throw invalid('time_zone', 'The database does not know this time zone.', 'time_zone')
    })
    return c.json({ tenant, time_zone })
  })

/** Undefined = all of them, which is for the operator alone. */
async function tenantIdOf(c: Context<AppEnv>): Promise<string | undefined> {
  if (
    c.req.query('tenant') === undefined &&
    (await isOperator(bearer(c.req.raw.headers), c.env.env.OPERATOR_TOKEN))
  )
    return undefined
  return (await actorOf(c)).tenantId
}

async function forecastOf(c: Context<AppEnv>, tenantId: string | undefined) {
  const { costs, budgets, clock } = c.env.services
  const [history, states] = await Promise.all([
    stored(costs.history(tenantId, FORECAST_DAYS, 60)),
    tenantId === undefined ? [] : budgets.states(tenantId),
  ])
  return outlook(history, states, clock.now())
}

async function anomaliesOf(c: Context<AppEnv>, tenantId: string | undefined, leastExtraUsd: number) {
  const { costs } = c.env.services
  return anomalies(await stored(costs.history(tenantId, ANOMALY_DAYS, ANOMALY_SLOT_MINUTES)), leastExtraUsd)
}

function parseQuery(query: Readonly<Record<string, string>>, accept = '') {
  const given = judge(querySchema, query, tipFor)
  if (given.from && given.to && given.from > given.to)
    throw invalid('to', 'The last day is before the first.', 'to')
  const dimensions = [...new Set((given.by ?? 'day').split(','))]
  if (dimensions.length > MAX_BY || !dimensions.every(isDimension))
    throw invalid('by', 'What costs are to be counted by is not known here, or too much at once.', 'by')
  const include = new Set((given.include ?? PARTS.join()).split(',').filter((part) => part !== ''))
  if ([...include].some((part) => part !== 'forecast' && part !== 'anomalies'))
    throw invalid('include', 'What is to be included is not known here.', 'include')
  const top = Number(given.top ?? 100)
  if (top > MAX_TOP) throw invalid('top', 'That is too many.', 'top')
  return {
    question: { firstDay: given.from, lastDay: given.to, dimensions, top },
    include,
    leastExtraUsd: Number(given.least_extra_usd ?? 1),
    isCsv: (given.format ?? (/\btext\/csv\b/i.test(accept) ? 'csv' : 'json')) === 'csv',
  }
}

const isDimension = (name: string): boolean =>
  (DIMENSIONS as readonly string[]).includes(name) ||
  (name.startsWith('tag:') && TAG_KEY.test(name.slice('tag:'.length)))

const TIPS: Readonly<Record<string, string>> = {
  tenant: 'Name it by 1 to 63 small letters, digits, "-" or "_".',
  from: 'Send a day like 2026-11-01, at most 400 days before "to"; 31 where "by" has "hour".',
  to: 'Send a day like 2026-11-30: the last one that is to count.',
  by: `Use up to ${MAX_BY} of ${DIMENSIONS.join(', ')} and tag:NAME, separated by commas.`,
  top: `Use a whole number from 1 to ${MAX_TOP}.`,
  include: 'Use forecast, anomalies, both separated by a comma, or nothing after the "=".',
  least_extra_usd: 'Use US dollars like 0.50, below a million.',
  format: 'Use json or csv.',
  time_zone: 'Use a name of the IANA database, such as Asia/Tokyo or UTC.',
}

const tipFor = (param: string): string => tipIn(TIPS, param) ?? 'See docs/costs-api.md for what there is.'

const invalid = (param: string, message: string, tip: string) =>
  new GatewayError('invalid_request', message, tipFor(tip), { param })

const tooManyDays = () => invalid('from', 'These are no days, or more than can be asked for at once.', 'from')
