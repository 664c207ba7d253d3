import type { Context } from 'hono'
import { GatewayError } from '../../../src/core/errors.ts'
import type { Actor } from '../../../src/models/manage.ts'
import { TENANT_NAME } from '../../../src/tenants/tenant.ts'
import type { AppEnv } from '../context.ts'
import { stored } from '../stored.ts'
import { bearer } from './bearer.ts'
import { callerOf } from './caller.ts'
import { isOperator } from './operator.ts'

/** Whose models are meant: those of the key's tenant, or with the operator's token those of `?tenant=NAME`. */
export async function actorOf(c: Context<AppEnv>): Promise<Actor> {
  const name = c.req.query('tenant')
  if (!(await isOperator(bearer(c.req.raw.headers), c.env.env.OPERATOR_TOKEN))) {
    const { tenant } = await callerOf(c)
    if (name !== undefined)
      throw new GatewayError(
        'invalid_request',
        'A virtual key acts for its own tenant only.',
        'Leave out "?tenant=".',
        { param: 'tenant' },
      )
    return { tenantId: tenant.id, isOperator: false }
  }
  if (name === undefined)
    throw new GatewayError(
      'invalid_request',
      'The tenant is missing.',
      'Say whose models are meant with ?tenant=NAME; the system models are those of "beast-system".',
      { param: 'tenant' },
    )
  const tenant = TENANT_NAME.test(name) ? await stored(c.env.services.directory.tenantNamed(name)) : undefined
  if (!tenant)
    throw new GatewayError(
      'not_found',
      'There is no tenant of this name.',
      'A tenant is made with its first key: npm run keys -- create --tenant NAME.',
      { param: 'tenant' },
    )
  return { tenantId: tenant.id, isOperator: true }
}
