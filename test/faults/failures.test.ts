import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ERRORS } from '../../src/core/errors.ts'
import { FAILURES, type FailureKind } from '../../src/providers/failure-table.ts'
import { ask, PROSE, question, results, routingGateway, streamed } from '../support/routing-gateway.ts'
import { inOrder, providerAt, type RoutingOptions, UPSTREAM_KEY } from '../support/routing-services.ts'
import {
  answer,
  type Behaviour,
  blackHole,
  PATH_SECRET,
  reset,
  startUpstream,
  stream,
  type UpstreamFaults,
  well,
} from '../support/upstream-faults.ts'

let a: UpstreamFaults
let b: UpstreamFaults
let closed: UpstreamFaults

beforeAll(async () => {
  ;[a, b, closed] = await Promise.all([startUpstream(), startUpstream(), startUpstream()])
  await closed.refuse()
})
afterAll(() => Promise.all([a?.close(), b?.close()]))

/** A refusal as careless as some real ones: it repeats the key and speaks of addresses. */
const refusal = (status: number, more: object = {}, headers: Record<string, string> = {}): Behaviour =>
  answer(
    status,
    JSON.stringify({
      error: { message: `${PROSE}: key ${UPSTREAM_KEY} at http://10.0.0.1/${PATH_SECRET}`, ...more },
    }),
    { 'x-debug': UPSTREAM_KEY, ...headers },
  )

interface Case {
  readonly kind: FailureKind
  readonly behaviour?: Behaviour
  /** What is asked; a plain question by default. */
  readonly body?: () => object
  readonly options?: Partial<RoutingOptions>
  /** The address instead of the proxy's own. */
  readonly baseUrl?: (own: string) => string
  readonly upstreamStatus?: number
  readonly param?: string
}

const SHORT = { answerMs: 150, connectMs: 150, firstTokenMs: 150, idleMs: 150 }
const status = (code: number, kind: FailureKind, more: object = {}): Case => ({
  kind,
  behaviour: refusal(code, more),
  upstreamStatus: code,
})
/** A fetch that fails as Node's does, for what cannot be had on loopback. */
const failing = (code: string): Partial<RoutingOptions> => ({
  fetch: () =>
    Promise.reject(new TypeError('fetch failed', { cause: Object.assign(new Error(PROSE), { code }) })),
})

const CASES: readonly Case[] = [
  { kind: 'connection_refused', baseUrl: () => closed.url },
  { kind: 'dns_failed', options: failing('ENOTFOUND') },
  { kind: 'tls_failed', baseUrl: (own) => own.replace('http:', 'https:') },
  { kind: 'unreachable', behaviour: reset },
  {
    kind: 'redirected',
    behaviour: refusal(302, {}, { location: `http://127.0.0.1:1/${UPSTREAM_KEY}` }),
    upstreamStatus: 302,
  },
  status(401, 'bad_credentials'),
  status(403, 'forbidden'),
  status(402, 'quota_exhausted'),
  status(429, 'quota_exhausted', { code: 'insufficient_quota' }),
  status(404, 'model_missing'),
  { ...status(400, 'rejected', { param: 'messages[0].content' }), param: 'messages[0].content' },
  status(422, 'rejected', { param: `x ${UPSTREAM_KEY}`, code: `not a word: ${UPSTREAM_KEY}` }),
  status(413, 'too_large'),
  status(400, 'context_too_long', { code: 'context_length_exceeded' }),
  status(400, 'content_filtered', { code: 'content_filter' }),
  status(429, 'rate_limited'),
  status(503, 'overloaded'),
  status(529, 'overloaded'),
  status(500, 'failed'),
  status(418, 'rejected'),
  status(599, 'failed'),
  status(504, 'too_slow'),
  status(521, 'connection_refused'),
  status(526, 'tls_failed'),
  status(530, 'dns_failed'),
  { kind: 'too_slow', behaviour: blackHole, options: { limits: SHORT } },
  {
    kind: 'bad_answer',
    behaviour: answer(200, `<p>${PROSE} ${UPSTREAM_KEY}</p>`, { 'content-type': 'text/html' }),
  },
  { kind: 'bad_stream', behaviour: stream(`: ${PROSE}\n\n`), body: streamed },
  // Far more than is read of an error, and one that never ends.
  { kind: 'failed', behaviour: answer(500, PROSE.repeat(100_000)), upstreamStatus: 500 },
]

const gatewayOf = ({ options, baseUrl }: Case, more: Partial<RoutingOptions> = {}) =>
  routingGateway({
    providers: [providerAt('first', baseUrl?.(a.url) ?? a.url)],
    random: () => 0,
    ...options,
    ...more,
  })

describe('what a caller reads of a failure', () => {
  it.each(CASES.map((one) => [one.kind, one.upstreamStatus ?? '', one] as const))(
    '%s %s',
    async (kind, _status, one) => {
      if (one.behaviour) a.set(one.behaviour)
      const asked = await ask(gatewayOf(one), (one.body ?? question)())
      const { code, tip, says, mayBeBilled } = FAILURES[kind]
      const { fault, type } = ERRORS[code]
      expect(asked.status).toBe(ERRORS[code].status)
      expect(asked.error).toMatchObject({ code, type, fault, tip, param: one.param ?? null })
      expect(String(asked.error?.message)).toMatch(
        new RegExp(`^The provider "first" ${says.replace(/[()]/g, '.')}`),
      )
      const host = new URL(one.baseUrl?.(a.url) ?? a.url).host
      expect(asked.error?.context).toEqual({
        provider: 'first',
        model: 'first:m',
        host,
        ...(one.upstreamStatus && { upstream_status: one.upstreamStatus }),
      })
      expect(asked.headers.get('x-should-retry')).toBe(mayBeBilled ? 'false' : null)
      expect(asked.event.outcome).toBe(fault === 'caller' ? 'client_error' : 'error')
      expect(asked.event.attempts.at(-1)).toMatchObject({ result: 'failed', failure: kind, mayBeBilled })
      // Only what was turned away unprocessed is sent there again.
      const isRepeated = FAILURES[kind].next === 'same'
      if (one.behaviour) expect(a.seen.length > 1).toBe(isRepeated)
    },
  )

  it('names the field where the format has no word for it', async () => {
    const gateway = routingGateway({ providers: [providerAt('first', a.url, { format: 'anthropic' })] })
    a.set(well('never asked'))
    const asked = await ask(gateway, question({ seed: 1 }))
    expect([asked.status, asked.error?.code, asked.error?.param]).toEqual([
      400,
      'unsupported_by_model',
      'seed',
    ])
    expect(a.seen).toHaveLength(0)
  })

  it("tells nothing of a tenant's address that may not be called", async () => {
    const providers = [providerAt('first', a.url, { isForeign: true })]
    a.set(well('never asked'))
    const asked = await ask(routingGateway({ providers }), question())
    expect([asked.status, asked.error?.code]).toEqual([502, 'upstream_unreachable'])
    expect(asked.event.attempts.at(-1)).toMatchObject({ failure: 'forbidden_address', mayBeBilled: false })
    expect(a.seen).toHaveLength(0)
  })

  it('knows every kind of failure', () => {
    const tried = new Set([...CASES.map(({ kind }) => kind), 'unsupported', 'forbidden_address'])
    expect([...tried].sort()).toEqual(Object.keys(FAILURES).sort())
  })
})

describe('another model', () => {
  it.each(CASES.filter(({ body }) => !body).map((one) => [one.kind, one.upstreamStatus ?? '', one] as const))(
    'is asked unless it would say the same: %s %s',
    async (kind, _status, one) => {
      if (one.behaviour) a.set(one.behaviour)
      b.set(well('from the second'))
      const providers = [providerAt('first', one.baseUrl?.(a.url) ?? a.url), providerAt('second', b.url)]
      const { fetch: broken } = one.options ?? {}
      const gateway = gatewayOf(one, {
        providers,
        aliases: [inOrder('m', 'first:m', 'second:m')],
        ...(broken && {
          fetch: (url, init) => (url.startsWith(b.url) ? fetch(url, init) : broken(url, init)),
        }),
      })
      const asked = await ask(gateway, question())
      const isLast = FAILURES[kind].next === 'none'
      expect(results(asked)).toEqual([`first failed ${kind}`, ...(isLast ? [] : ['second answered'])])
      if (one.behaviour) expect(a.seen).toHaveLength(1)
      expect(b.seen).toHaveLength(isLast ? 0 : 1)
      expect(gateway.stored).toEqual([])
    },
  )
})

describe('a client', () => {
  it.each([
    [500, 503, 503, 'false'],
    [503, 500, 502, 'false'],
    [404, 503, 503, null],
  ])(
    'is told not to repeat where any call may have been billed: %i, then %i',
    async (one, two, status, told) => {
      a.set(refusal(one))
      b.set(refusal(two))
      const gateway = routingGateway({
        providers: [providerAt('first', a.url), providerAt('second', b.url)],
        aliases: [inOrder('m', 'first:m', 'second:m')],
        random: () => 0,
      })
      const asked = await ask(gateway, question())
      expect([asked.status, asked.headers.get('x-should-retry')]).toEqual([status, told])
      expect(asked.event.attempts.some(({ mayBeBilled }) => mayBeBilled)).toBe(told === 'false')
    },
  )
})

describe('a request that has been here before', () => {
  it.each(['1.1 beast-faults', '1.1 proxy, 1.1 beast-faults', '1.1 beast-faults, 1.1 cloudflare'])(
    'is not sent round again (Via: %s)',
    async (via) => {
      a.set(well('never asked'))
      const asked = await ask(gatewayOf({ kind: 'failed' }), question(), { headers: { via } })
      expect([asked.status, asked.error?.code, a.seen.length]).toEqual([508, 'loop_detected', 0])
    },
  )

  it.each(['1.1 beast-faultsy', '1.1 other', ''])('is told from others (Via: %s)', async (via) => {
    a.set(well('answered'))
    const asked = await ask(gatewayOf({ kind: 'failed' }), question(), { headers: via ? { via } : {} })
    expect([asked.status, a.seen[0]?.headers.via]).toEqual([200, '1.1 beast-faults'])
  })
})
