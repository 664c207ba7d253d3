import { type Context, Hono } from 'hono'
import { GatewayError } from '../../../src/core/errors.ts'
import { readRequestId, readRequestQuery } from '../../../src/feedback/request-search.ts'
import type { RequestReach } from '../../../src/feedback/request-story.ts'
import { TENANT_NAME } from '../../../src/tenants/tenant.ts'
import type { AppEnv } from '../context.ts'
import { bearer } from '../middleware/bearer.ts'
import { callerOf } from '../middleware/caller.ts'
import { isOperator } from '../middleware/operator.ts'
import { stored } from '../stored.ts'
import { viewerUntilMs } from '../viewer.ts'

type ReachOf = (c: Context<AppEnv>, tenant: string | undefined) => Promise<RequestReach>

/** /api/requests: what is recorded of requests. A key sees its tenant's; the operator those of all, or `?tenant=NAME`. */
export const requests = routesOf(async (c, tenant) => {
  if (await isOperator(bearer(c.req.raw.headers), c.env.env.OPERATOR_TOKEN))
    return { tenantId: await tenantIdOf(c, tenant), withWords: true }
  const caller = await callerOf(c, 'costs')
  if (tenant !== undefined)
    throw new GatewayError(
      'invalid_request',
      'A virtual key sees the requests of its own tenant only.',
      'Leave out "?tenant=".',
      { param: 'tenant' },
    )
  return { tenantId: caller.tenant.id, withWords: true }
})

/** The same for the page at /monitoring, by its session: of all tenants, and nothing that anybody said. */
export const requestsOfPage = routesOf(async (c, tenant) => {
  c.header('cross-origin-resource-policy', 'same-origin')
  if ((await viewerUntilMs(c)) !== undefined)
    return { tenantId: await tenantIdOf(c, tenant), withWords: false }
  throw new GatewayError('missing_api_key', 'You are not signed in.', 'Sign in at /monitoring.')
})

function routesOf(reachOf: ReachOf) {
  return new Hono<AppEnv>()
    .get('/', async (c) => {
      c.header('cache-control', 'no-store')
      const { tenant, ...filters } = onceEach(c)
      const reach = await reachOf(c, tenant)
      return c.json(await stored(c.env.services.requests.search(reach, readRequestQuery(filters))))
    })
    .get('/:id', async (c) => {
      c.header('cache-control', 'no-store')
      const { tenant, ...others } = onceEach(c)
      const reach = await reachOf(c, tenant)
      const [unknown] = Object.keys(others)
      if (unknown !== undefined)
        throw invalid(unknown, `There is no parameter "${unknown}" here.`, `Leave out "${unknown}".`)
      const story = await stored(c.env.services.requests.story(reach, readRequestId(c.req.param('id'))))
      if (story) return c.json(story)
      throw new GatewayError(
        'not_found',
        'There is no request of this id.',
        'A request is recorded some seconds after its answer: try again then, or look for it with GET /api/requests.',
        { param: 'id' },
      )
    })
}

async function tenantIdOf(c: Context<AppEnv>, name: string | undefined): Promise<string | undefined> {
  if (name === undefined) return undefined
  const tenant = TENANT_NAME.test(name) ? await stored(c.env.services.directory.tenantNamed(name)) : undefined
  if (tenant) return tenant.id
  throw new GatewayError(
    'not_found',
    'There is no tenant of this name.',
    'Look for the name in npm run keys -- list.',
    { param: 'tenant' },
  )
}

/** Of a parameter that is given twice neither would be what was meant. */
function onceEach(c: Context<AppEnv>): Record<string, string> {
  const given = Object.entries(c.req.queries())
  const twice = given.find(([, values]) => values.length > 1)
  if (twice) throw invalid(twice[0], `The parameter "${twice[0]}" is given twice.`, 'Give it once.')
  return Object.fromEntries(given.map(([name, [value = '']]) => [name, value]))
}

const invalid = (param: string, message: string, tip: string) =>
  new GatewayError('invalid_request', message, tip, { param: param.slice(0, 200) })
