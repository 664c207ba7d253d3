import type { Context } from 'hono'
import { GatewayError } from '../../src/core/errors.ts'
import type { AppEnv } from './context.ts'
import { stored } from './stored.ts'

/** The id of the tenant that the operator names. @throws GatewayError `not_found` */
export async function tenantIdOf(c: Context<AppEnv>, name: string): Promise<string> {
  const tenant = await stored(c.env.services.directory.tenantNamed(name))
  if (tenant) return tenant.id
  throw new GatewayError(
    'not_found',
    'There is no tenant of this name.',
    'A tenant is made with its first key: npm run keys -- create --tenant NAME.',
    { param: 'tenant' },
  )
}
