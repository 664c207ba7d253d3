import type { Context } from 'hono'
import { GatewayError } from '../../../src/core/errors.ts'
import type { Actor } from '../../../src/models/manage.ts'
import { type AuditActor, OPERATOR } from '../../../src/tenants/audit.ts'
import type { Scope } from '../../../src/tenants/scopes.ts'
import { TENANT_NAME } from '../../../src/tenants/tenant.ts'
import type { AppEnv } from '../context.ts'
import { stored } from '../stored.ts'
import { bearer } from './bearer.ts'
import { callerOf } from './caller.ts'
import { isOperator } from './operator.ts'

/** Whoever acts for a tenant, as the audit log knows it. */
export interface AuditedActor extends Actor {
  readonly by: AuditActor
}

/**
 * Whose things are meant: those of the key's tenant, or with the operator's token those of `?tenant=NAME`.
 * @param scope what the key must be for; reading figures, unless said otherwise
 */
export async function actorOf(c: Context<AppEnv>, scope: Scope = 'costs'): Promise<AuditedActor> {
  const name = c.req.query('tenant')
  if (!(await isOperator(bearer(c.req.raw.headers), c.env.env.OPERATOR_TOKEN))) {
    const { keyId, tenant } = await callerOf(c, scope)
    if (name !== undefined)
      throw new GatewayError(
        'invalid_request',
        'A virtual key acts for its own tenant only.',
        'Leave out "?tenant=".',
        { param: 'tenant' },
      )
    return { tenantId: tenant.id, isOperator: false, by: { kind: 'key', id: keyId } }
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
  return { tenantId: tenant.id, isOperator: true, by: OPERATOR }
}
