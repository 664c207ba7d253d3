import type { Context } from 'hono'
import type { WaitUntil } from '../../../src/core/clock.ts'
import { GatewayError } from '../../../src/core/errors.ts'
import { requireScope, type Scope } from '../../../src/tenants/scopes.ts'
import type { Caller } from '../../../src/tenants/tenant.ts'
import type { AppEnv } from '../context.ts'
import { bearer } from './bearer.ts'

/** Who calls, by a virtual key that is for this. @throws GatewayError when that cannot be said */
export async function callerOf(c: Context<AppEnv>, scope: Scope): Promise<Caller> {
  const { headers } = c.req.raw
  const key = bearer(headers)
  if (key === undefined) {
    throw new GatewayError(
      'missing_api_key',
      'The request carries no API key.',
      'Send Authorization: Bearer bm_live_..., or set api_key in your client.',
    )
  }
  const client = headers.get('cf-connecting-ip') ?? 'local'
  const { authenticator, switches } = c.env.services
  const waitUntil: WaitUntil = (promise) => c.executionCtx.waitUntil(promise)
  const renewed = switches.renew(waitUntil)
  const caller = await authenticator.authenticate(key, client, waitUntil)
  if (renewed) await renewed
  if (switches.off.tenants?.has(caller.tenant.name)) throw disabled()
  requireScope(caller.scopes, scope)
  return caller
}

const disabled = () =>
  new GatewayError(
    'tenant_disabled',
    'Your tenant is turned off by whoever runs this gateway.',
    'Ask whoever runs this gateway why, and when it is back; a new key changes nothing.',
    { mayRetry: false },
  )
