import { Hono } from 'hono'
import type { WaitUntil } from '../../../src/core/clock.ts'
import { GatewayError, toGatewayError } from '../../../src/core/errors.ts'
import { parseJson } from '../../../src/core/json.ts'
import { tagsOf } from '../../../src/cost/tags.ts'
import { answerChat, type ChatCall } from '../../../src/routing/chat.ts'
import { answerOnce, type OnceAnswer } from '../../../src/routing/once.ts'
import { outcomeOf, Settlement } from '../../../src/routing/settlement.ts'
import { isLimited } from '../../../src/tenants/isolate-rates.ts'
import { rateHeaders } from '../../../src/tenants/rate-headers.ts'
import type { Caller } from '../../../src/tenants/tenant.ts'
import { readBody } from '../body.ts'
import type { AppEnv } from '../context.ts'
import { callerOf } from '../middleware/caller.ts'
import type { Services } from '../services.ts'

const CONTENT_TYPE = { json: 'application/json', sse: 'text/event-stream; charset=utf-8' } as const

/** POST /v1/chat/completions: a chat request in OpenAI's form, answered from the cache or by a model. */
export const chat = new Hono<AppEnv>().post('/', async (c) => {
  const { services, requestId, ownId } = c.env
  const { raw } = c.req
  services.metrics.received()
  const waitUntil: WaitUntil = (promise) => c.executionCtx.waitUntil(promise)
  // Held from the first: whoever leaves while the key or the cache is looked up would otherwise end the request there,
  // and it would be counted as come and never as over.
  const over = Promise.withResolvers<void>()
  waitUntil(over.promise)
  const settlement = new Settlement(requestId, ownId, services.clock.now, (event) => {
    services.record(event, waitUntil)
    over.resolve()
  })
  let caller: Caller | undefined
  try {
    mustNotBeOurOwn(raw.headers.get('via'), services.chat.pseudonym)
    // Counted while the key is looked up; nothing in it is parsed before the caller is known.
    const reading = readBody(raw, services.maxBodyBytes)
    caller = await callerOf(c, 'inference').catch(async (error) => {
      // An answer in the middle of an upload would reach many clients as a broken connection.
      await reading.catch(() => {})
      throw error
    })
    // A body that is none is a request of theirs, too.
    settlement.tenantId = caller.tenant.id
    settlement.keyId = caller.keyId
    const body = parseJson(await reading)
    settlement.tags = tagsOf(raw.headers.get('x-beast-tags'), body)
    const call: ChatCall = {
      caller,
      body,
      headers: {
        cacheControl: raw.headers.get('cache-control') ?? undefined,
        beastCache: raw.headers.get('x-beast-cache') ?? undefined,
      },
      signal: () => raw.signal,
      waitUntil,
      settlement,
    }
    const key = raw.headers.get('idempotency-key')
    const story = (call: ChatCall) => answerChat(services.chat, call)
    const answer = key === null ? await story(call) : await answerOnce(services.idempotency, call, key, story)
    if (typeof answer.body !== 'string' && !settlement.settled) {
      settlement.streaming = true
      services.metrics.streams(waitUntil)
    }
    return toResponse(answer, settlement, limitHeaders(services, caller, settlement))
  } catch (thrown) {
    const error = toGatewayError(thrown)
    settlement.settle(outcomeOf(error.fault), error.code)
    // Where nobody is known there is no row to rate.
    if (settlement.tenantId !== undefined) c.env.predictionId = settlement.predictionId
    if (caller) c.env.limitHeaders = limitHeaders(services, caller, settlement)
    throw error
  }
})

/** An endpoint that leads back here would ask itself for ever. */
function mustNotBeOurOwn(via: string | null, pseudonym: string): void {
  // Each member is a protocol, then a name: that of another gateway may well begin like ours.
  const names = via?.split(',').map((member) => member.trim().split(/\s+/)[1])
  if (!names?.includes(pseudonym)) return
  throw new GatewayError(
    'loop_detected',
    'This request has been here before: the address of a model leads back to this gateway.',
    "Correct the model's address so that it names the model's own server.",
  )
}

/** No cache in front may keep an answer to a POST that does not say how long (RFC 9111): nothing needs to forbid it. */
function toResponse(
  answer: OnceAnswer,
  { requestId, predictionId }: Settlement,
  limits: Record<string, string> | undefined,
): Response {
  const headers: Record<string, string> = {
    'content-type': CONTENT_TYPE[answer.kind],
    'cache-status': answer.cacheStatus,
    'x-request-id': requestId,
    'x-beast-prediction': predictionId,
  }
  if (answer.age !== undefined) headers.age = String(answer.age)
  if (answer.route !== undefined) headers['x-beast-route'] = answer.route
  if (limits) Object.assign(headers, limits)
  const { replayedStatus: status = 200 } = answer
  if (answer.replayedStatus !== undefined) headers['idempotency-replayed'] = 'true'
  // It may have been billed: with this key there is nothing more to be had.
  if (status !== 200) headers['x-should-retry'] = 'false'
  return new Response(answer.body, { status, headers })
}

/** What the caller's limits leave, by the account's word or else by this isolate's own count. Nothing where there are none. */
function limitHeaders(
  { chat, clock }: Services,
  caller: Caller,
  { rates, isUnchecked }: Settlement,
): Record<string, string> | undefined {
  if (!rates && !isLimited(caller)) return undefined
  const headers = rateHeaders(rates ?? chat.rates.states(caller, clock.now()))
  if (isUnchecked) headers['x-beast-limits'] = 'unchecked'
  return headers
}
