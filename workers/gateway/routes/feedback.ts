import { type Context, Hono } from 'hono'
import type { Rater } from '../../../src/feedback/acceptance.ts'
import { readQuery } from '../../../src/feedback/listing.ts'
import { isFeedbackToken } from '../../../src/feedback/token.ts'
import { readTokenRequest } from '../../../src/feedback/token-request.ts'
import type { AppEnv } from '../context.ts'
import { readFeedbackJson, readSmallJson } from '../json-body.ts'
import { bearer } from '../middleware/bearer.ts'
import { callerOf } from '../middleware/caller.ts'
import { stored } from '../stored.ts'

/** /api/feedback: ratings of answers, acknowledged once they are stored durably, and what became of them. */
export const feedback = new Hono<AppEnv>()
  .post('/', async (c) => {
    const rater = (await raterByToken(c)) ?? (await raterByKey(c))
    const body = await readFeedbackJson(c.req.raw)
    const receipt = await c.env.services.feedback.desk.accept(rater, body)
    tellMetrics(c)
    return c.json(receipt, 202)
  })
  .post('/batch', async (c) => {
    const rater = await raterByKey(c)
    const body = await readFeedbackJson(c.req.raw)
    const answer = await c.env.services.feedback.desk.acceptBatch(rater, body)
    tellMetrics(c)
    return c.json(answer, 202)
  })
  .post('/token', async (c) => {
    const { tenantId } = await raterByKey(c)
    const { clock, feedback } = c.env.services
    const { predictionId, expiresAtS } = readTokenRequest(await readSmallJson(c.req.raw), clock.now())
    return c.json(
      {
        token: await feedback.tokens.mint(tenantId, predictionId, expiresAtS),
        prediction_id: predictionId,
        expires_at: new Date(expiresAtS * 1_000).toISOString(),
      },
      201,
    )
  })
  .get('/', async (c) => {
    const { tenantId } = await raterByKey(c)
    const query = readQuery(c.req.query())
    return c.json(await stored(c.env.services.feedback.reader.list(tenantId, query)))
  })

/** What was accepted was counted; behind the answer it is sent. */
const tellMetrics = (c: Context<AppEnv>): void =>
  c.env.services.metrics.buffer.flushLater((promise) => c.executionCtx.waitUntil(promise))

async function raterByKey(c: Context<AppEnv>): Promise<Rater> {
  const { keyId, tenant } = await callerOf(c, 'feedback')
  return { tenantId: tenant.id, name: keyId }
}

/** Undefined where the request carries no such token. */
async function raterByToken(c: Context<AppEnv>): Promise<Rater | undefined> {
  const token = bearer(c.req.raw.headers)
  if (token === undefined || !isFeedbackToken(token)) return undefined
  const { clock, feedback } = c.env.services
  const grant = await feedback.tokens.open(token, clock.now())
  return { tenantId: grant.tenantId, name: `token ${grant.predictionId}`, grant }
}
