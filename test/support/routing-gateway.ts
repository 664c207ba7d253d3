import { expect } from 'vitest'
import type { RequestEvent } from '../../src/routing/settlement.ts'
import { createVirtualKey } from '../../src/tenants/virtual-key.ts'
import { createFetch } from '../../workers/gateway/app.ts'
import type { Env } from '../../workers/gateway/env.ts'
import {
  type RoutingOptions,
  type RoutingServices,
  routingServices,
  UPSTREAM_KEY,
} from './routing-services.ts'
import { dataOf, PATH_SECRET } from './upstream-faults.ts'

export interface ChatOptions {
  readonly headers?: Readonly<Record<string, string>>
  /** Aborts as a caller does who leaves. */
  readonly signal?: AbortSignal
  /** Called as soon as the answer begins. */
  readonly onAnswer?: () => void
}

export interface RoutingGateway extends RoutingServices {
  chat(body: object, options?: ChatOptions): Promise<Response>
  /** Waits for everything that goes on behind the answers. */
  settled(): Promise<void>
}

/** One isolate of the gateway on Node, with its whole HTTP surface, in front of these providers. */
export function routingGateway(options: RoutingOptions): RoutingGateway {
  const made = routingServices(options)
  const handle = createFetch(() => made.services)
  const background: Promise<unknown>[] = []
  const ctx = {
    waitUntil: (promise: Promise<unknown>) => background.push(promise),
    passThroughOnException: () => {},
  } as unknown as ExecutionContext
  const authorization = `Bearer ${createVirtualKey()}`
  return {
    ...made,
    chat: async (body, { headers, signal } = {}) =>
      handle(
        new Request('http://gateway/v1/chat/completions', {
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization, ...headers },
          body: JSON.stringify(body),
          ...(signal && { signal }),
        }),
        {} as Env,
        ctx,
      ),
    settled: async () => {
      while (background.length > 0) await Promise.allSettled(background.splice(0))
    },
  }
}

let asked = 0

/** A question that no cache has seen. */
export const question = (more: object = {}): object => {
  asked += 1
  return { model: 'm', messages: [{ role: 'user', content: `question ${asked}` }], ...more }
}

export const streamed = (more: object = {}): object => question({ stream: true, ...more })

export interface Asked {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The error object, of a refusal or at the end of a stream; undefined where all went well. */
  readonly error: Record<string, unknown> | undefined
  /** Until the answer was there, whole. */
  readonly ms: number
  /** The one event of this request. */
  readonly event: RequestEvent
}

/** Asks, reads the whole answer, and holds it against what is true of every answer. */
export async function ask(gateway: RoutingGateway, body: object, options?: ChatOptions): Promise<Asked> {
  const before = gateway.events.length
  const started = performance.now()
  const response = await gateway.chat(body, options)
  options?.onAnswer?.()
  const text = await response.text()
  const ms = performance.now() - started
  await gateway.settled()
  return judge(gateway, before, response, text, ms)
}

function judge(gateway: RoutingGateway, before: number, response: Response, text: string, ms: number): Asked {
  const { status, headers } = response
  const [event, ...more] = gateway.events.slice(before)
  if (!event) throw new Error('no event was recorded')
  expect(more, 'one event a request').toEqual([])
  const shown = `${text}${JSON.stringify([...headers])}`
  for (const secret of [UPSTREAM_KEY, PATH_SECRET, PROSE]) expect(shown).not.toContain(secret)
  const data = headers.get('content-type')?.startsWith('text/event-stream') ? dataOf(text) : [text]
  const last = data.at(-1)
  const error = last === '[DONE]' ? undefined : JSON.parse(last ?? '{}').error
  expect(event.outcome === 'success', 'success where there is no error').toBe(error === undefined)
  if (error) {
    expect(data, 'no end beside an error').not.toContain('[DONE]')
    expect(event.errorCode).toBe(error.code)
    expect(String(error.tip).length).toBeGreaterThan(10)
  }
  return { status, headers, text, error, ms, event }
}

/** A sentence of the provider's own, which is not repeated. */
export const PROSE = 'prose of the provider'

/** How each attempt of a request ended, in order. */
export const results = ({ event }: Asked): string[] =>
  event.attempts.map(({ endpointId, result, failure }) =>
    [endpointId, result, failure].filter(Boolean).join(' '),
  )
