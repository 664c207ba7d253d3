import { createMiddleware } from 'hono/factory'
import { utf8 } from '../../../src/core/bytes.ts'
import { GatewayError } from '../../../src/core/errors.ts'
import type { AppEnv } from '../context.ts'
import { MIN_SECRET_LENGTH } from '../env.ts'
import { bearer } from './bearer.ts'

/** Whether the request carries the operator's token. Closed while none, or a weak one, is set. */
export async function isOperator(presented: string | undefined, token: string | undefined): Promise<boolean> {
  if (!presented || !token || token.length < MIN_SECRET_LENGTH) return false
  // Hashed first: timingSafeEqual needs equal lengths, and a length is a secret too.
  const [a, b] = await Promise.all([
    crypto.subtle.digest('SHA-256', utf8(presented)),
    crypto.subtle.digest('SHA-256', utf8(token)),
  ])
  return crypto.subtle.timingSafeEqual(a, b)
}

/** Lets only the operator through. */
export const operatorOnly = createMiddleware<AppEnv>(async (c, next) => {
  if (await isOperator(bearer(c.req.raw.headers), c.env.env.OPERATOR_TOKEN)) return next()
  throw new GatewayError(
    'invalid_api_key',
    "This needs the operator's token.",
    'Send Authorization: Bearer with the value of the secret OPERATOR_TOKEN; a virtual key does not open the administration.',
  )
})
