import { fromUtf8, readBounded } from '../core/bytes.ts'
import { type Clock, withDeadline } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import type { JsonObject } from '../core/json.ts'
import type { Adapter, ListedModel, WireFormat } from '../providers/adapter.ts'
import type { Fetch } from '../providers/fetch.ts'
import { withoutKey } from '../providers/list-models.ts'

export interface ProbeServices {
  readonly clock: Clock
  /** Connects only where the address policy allows, and follows no redirect. */
  readonly fetch: Fetch
  readonly adapterFor: (format: WireFormat) => Adapter
}

export interface ProbeTarget {
  readonly endpointUrl: string
  readonly format: WireFormat
  readonly apiKey: string | undefined
}

export type StatusClass = '2xx' | '3xx' | '4xx' | '5xx' | 'none'

export interface ProbeReport {
  readonly ok: boolean
  readonly latency_ms: number
  /** Of the endpoint's answer; `none`: there was no answer. */
  readonly status_class: StatusClass
  readonly tip: string
}

const LIST_MS = 5_000
const CHAT_MS = 20_000
const MAX_LIST_BYTES = 2_000_000
const MAX_ANSWER_BYTES = 256_000
const MAX_LISTED = 200
const LISTED_NAME = /^[\x21-\x7e]{1,256}$/
const PROBE: JsonObject = { messages: [{ role: 'user', content: 'Answer with the word OK.' }] }

/** The models that an endpoint says it has; undefined when it does not say. Never rejects. */
export async function discover(
  services: ProbeServices,
  target: ProbeTarget,
): Promise<readonly ListedModel[] | undefined> {
  const adapter = services.adapterFor(target.format)
  const { listPath } = adapter
  if (listPath === undefined) return undefined
  try {
    const init = { method: 'GET', headers: credentials(adapter, target) }
    const { status, text } = await call(services, target, listPath, init, LIST_MS, MAX_LIST_BYTES)
    if (status < 200 || status > 299) return undefined
    const named = adapter.models(text)?.filter(({ id }) => LISTED_NAME.test(id))
    return named && withoutKey(named, target.apiKey).slice(0, MAX_LISTED)
  } catch {
    return undefined
  }
}

/**
 * Asks the model for one word, as a request would. Of the endpoint's own text nothing is told: it may hold a key.
 * @throws GatewayError `address_refused`
 */
export async function probe(
  services: ProbeServices,
  target: ProbeTarget,
  model: string,
): Promise<ProbeReport> {
  const startedMs = services.clock.now()
  const report = (status_class: StatusClass, tip: string, ok = false): ProbeReport => ({
    ok,
    latency_ms: Math.max(0, Math.round(services.clock.now() - startedMs)),
    status_class,
    tip,
  })
  try {
    // Some models refuse a limit by its old name, so one refusal is no verdict.
    let answer = await ask(services, target, model, { ...PROBE, max_tokens: 16 })
    if (answer.status === 400) answer = await ask(services, target, model, PROBE)
    const statusClass = classOf(answer.status)
    if (statusClass !== '2xx') return report(statusClass, tipFor(answer.status))
    if (!answer.isCompletion) return report('2xx', TIP_NOT_CHAT)
    return report('2xx', 'It answers; call it by its name.', true)
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'address_refused') throw error
    return report('none', error instanceof GatewayError ? error.tip : TIP_UNREACHABLE)
  }
}

async function ask(services: ProbeServices, target: ProbeTarget, model: string, chat: JsonObject) {
  const adapter = services.adapterFor(target.format)
  const { path, headers, body } = adapter.request(chat, model)
  const init = { method: 'POST', headers: { ...headers, ...credentials(adapter, target) }, body }
  const { status, text } = await call(services, target, path, init, CHAT_MS, MAX_ANSWER_BYTES)
  const context = { model, requestId: 'probe', createdS: 0, includeUsage: false }
  return { status, isCompletion: status < 300 && adapter.answer(text, context) !== undefined }
}

async function call(
  { clock, fetch }: ProbeServices,
  { endpointUrl }: ProbeTarget,
  path: string,
  init: RequestInit,
  ms: number,
  maxBytes: number,
): Promise<{ status: number; text: string }> {
  const control = new AbortController()
  const answered = async () => {
    const response = await fetch(endpointUrl + path, { ...init, redirect: 'manual', signal: control.signal })
    const bytes = response.body ? await readBounded(response.body, maxBytes) : new Uint8Array()
    return { status: response.status, text: fromUtf8(bytes) }
  }
  return withDeadline(clock, ms, answered()).finally(() => control.abort())
}

const credentials = (adapter: Adapter, { apiKey }: ProbeTarget) =>
  apiKey === undefined ? {} : adapter.authorize(apiKey)

function classOf(status: number): StatusClass {
  if (status < 300) return '2xx'
  if (status < 400) return '3xx'
  return status < 500 ? '4xx' : '5xx'
}

const TIP_UNREACHABLE =
  'Check that the endpoint is up, its address right and its certificate valid: no answer came that could be read.'
const TIP_NOT_CHAT =
  'Check the base URL and the wire format: what answers there is not a chat model of this format.'

function tipFor(status: number): string {
  if (status === 401 || status === 403) return 'Check the API key of this model: the endpoint refuses it.'
  if (status === 404)
    return 'Check the base URL (it often ends in /v1) and "config.model", the name of the model at the endpoint.'
  if (status === 429) return 'Wait, or raise the limit of this key at the endpoint: it is asked too often.'
  if (status >= 500) return 'Try again later: the endpoint failed by itself.'
  return 'Check "config.model" and the wire format: the endpoint did not accept the request.'
}
