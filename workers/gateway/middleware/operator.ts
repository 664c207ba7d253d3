import { createMiddleware } from 'hono/factory'
import { GatewayError } from '../../../src/core/errors.ts'
import type { AppEnv } from '../context.ts'
import { bearer } from './bearer.ts'
import { holdsToken } from './token.ts'

/** Whether the request carries the operator's token. */
export const isOperator = holdsToken

/** Lets only the operator through. */
export const operatorOnly = createMiddleware<AppEnv>(async (c, next) => {
  if (await isOperator(bearer(c.req.raw.headers), c.env.env.OPERATOR_TOKEN)) return next()
  throw new GatewayError(
    'invalid_api_key',
    "This needs the operator's token.",
    'Send Authorization: Bearer with the value of the secret OPERATOR_TOKEN; a virtual key does not open the administration.',
  )
})
