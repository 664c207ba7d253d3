import type { Context } from 'hono'
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
  const caller = await c.env.services.authenticator.authenticate(key, client, (promise) =>
    c.executionCtx.waitUntil(promise),
  )
  requireScope(caller.scopes, scope)
  return caller
}
