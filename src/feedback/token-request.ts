import * as z from 'zod/mini'
import { GatewayError } from '../core/errors.ts'
import { judge } from '../core/schema.ts'
import { predictionIdProblem } from './prediction-id.ts'

const DAY_S = 24 * 60 * 60
const MAX_DAYS = 30

const schema = z.strictObject({
  prediction_id: z.string(),
  expires_in_s: z.optional(z.int().check(z.gte(1), z.lte(MAX_DAYS * DAY_S))),
})

/**
 * For which prediction a token is wanted, and until when: a day, unless it says otherwise.
 * @throws GatewayError `invalid_feedback`, with the field at fault
 */
export function readTokenRequest(body: unknown, nowMs: number): { predictionId: string; expiresAtS: number } {
  const given = judge(schema, body, tipFor, 'invalid_feedback')
  const predictionId = given.prediction_id.toLowerCase()
  const problem = predictionIdProblem(predictionId, nowMs)
  if (problem)
    throw new GatewayError('invalid_feedback', problem, tipFor('prediction_id'), { param: 'prediction_id' })
  return { predictionId, expiresAtS: Math.floor(nowMs / 1_000) + (given.expires_in_s ?? DAY_S) }
}

function tipFor(param: string): string {
  if (param === 'expires_in_s') return `Use whole seconds, at most ${MAX_DAYS} days.`
  return 'Send {"prediction_id": "...", "expires_in_s": 86400}, the id from the header x-beast-prediction.'
}
