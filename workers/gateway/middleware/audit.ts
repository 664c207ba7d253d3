import type { Context } from 'hono'
import { GatewayError, toGatewayError } from '../../../src/core/errors.ts'
import { uuidv7 } from '../../../src/core/ids.ts'
import type { AuditActor, AuditedChange, NewAuditEntry } from '../../../src/tenants/audit.ts'
import type { AppEnv } from '../context.ts'

/**
 * Makes a change that the audit log knows of: it is noted first, and what cannot be noted is not done. The log may so tell
 * of a change that was never made, when the gateway ended in between; it never misses one that was.
 * @param change what is done; if it fails, that is noted too
 * @throws GatewayError `store_unavailable`, and what `change` throws
 */
export async function audited<T>(
  c: Context<AppEnv>,
  by: AuditActor,
  what: AuditedChange,
  change: () => Promise<T>,
): Promise<T> {
  const { audit, clock } = c.env.services
  const entry: NewAuditEntry = { ...what, id: uuidv7(clock.now()), by, requestId: c.env.requestId }
  await audit.add(entry).catch((cause: unknown) => {
    throw new GatewayError(
      'store_unavailable',
      'Nothing was changed, because it could not be noted in the audit log.',
      'Try again after the time given in Retry-After.',
      { cause, retryAfterSeconds: 5 },
    )
  })
  try {
    return await change()
  } catch (thrown) {
    const { code } = toGatewayError(thrown)
    await audit.failed(entry, code).catch(() => {
      console.error(JSON.stringify({ level: 'error', code: 'audit', entry: entry.id, failure: code }))
    })
    throw thrown
  }
}
