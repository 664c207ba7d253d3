import type { Context } from 'hono'
import { GatewayError } from '../../src/core/errors.ts'
import { OPERATOR } from '../../src/tenants/audit.ts'
import type { Plan } from '../../src/tenants/tenant.ts'
import type { TenantListing, TenantSettings } from '../../src/tenants/tenant-settings.ts'
import type { AppEnv } from './context.ts'
import { audited } from './middleware/audit.ts'
import { stored } from './stored.ts'

/** @throws GatewayError `conflict` when the name is taken */
export async function createTenant(
  c: Context<AppEnv>,
  name: string,
  settings: TenantSettings,
): Promise<TenantListing> {
  const id = crypto.randomUUID()
  // Not its name: that goes when the tenant is erased, and this entry stays.
  const entry = { action: 'tenant.create', tenantId: id, after: settings }
  return audited(c, OPERATOR, entry, async () => {
    const tenant = await stored(c.env.services.tenants.create({ id, name, ...settings }))
    if (tenant) return tenant
    throw new GatewayError(
      'conflict',
      `There is a tenant "${name}" already.`,
      'Change it with PATCH /api/admin/tenants/{tenant}, or choose another name.',
      { param: 'name' },
    )
  })
}

/** This isolate knows at once, the others when they read the tenant again. @throws GatewayError `conflict` */
export async function changeTenant(
  c: Context<AppEnv>,
  seen: TenantListing,
  change: TenantSettings & { readonly epoch?: number },
): Promise<TenantListing> {
  const { tenants, authenticator } = c.env.services
  const tenant = await stored(tenants.change(seen, change))
  authenticator.forget(seen.id)
  if (tenant) return tenant
  throw new GatewayError(
    'conflict',
    'The tenant was changed meanwhile, or is gone.',
    'Read it again, and repeat the change if it still fits.',
  )
}

/** The tenant that a new key is for: made where there is none, with the plan that was named, if one was. */
export async function tenantForKey(
  c: Context<AppEnv>,
  name: string,
  plan: Plan | undefined,
): Promise<TenantListing> {
  const { tenants } = c.env.services
  const settings = plan === undefined ? {} : { plan }
  const seen = await stored(tenants.find(name))
  if (!seen) {
    try {
      return await createTenant(c, name, settings)
    } catch (error) {
      // Two first keys at once must not fail over a tenant that the other has just made.
      if (!(error instanceof GatewayError && error.code === 'conflict')) throw error
    }
  }
  const found = seen ?? (await stored(tenants.find(name)))
  if (!found) throw new GatewayError('store_unavailable', 'The tenant could not be made.', 'Try again.')
  if (plan === undefined || found.plan === plan) return found
  const before = { plan: found.plan }
  const entry = { action: 'tenant.update', tenantId: found.id, before, after: settings }
  return audited(c, OPERATOR, entry, () => changeTenant(c, found, settings))
}
