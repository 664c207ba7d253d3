import { readBounded } from '../core/bytes.ts'
import { GatewayError } from '../core/errors.ts'
import { isObject, type JsonObject, parseJson } from '../core/json.ts'
import type { Provider, Route } from '../models/provider.ts'
import { refusal, unreachable } from './failures.ts'

export type Fetch = (url: string, init: RequestInit) => Promise<Response>

const LIST_TIMEOUT_MS = 5_000
const MAX_LIST_BYTES = 5_000_000

/**
 * Sends a chat request on, always made anew from its parsed form: no header of the caller's reaches a
 * provider, and what was judged is what is sent.
 * @returns the provider's answer, its status 2xx
 * @throws GatewayError `upstream_*`
 */
export async function askChat(
  fetch: Fetch,
  route: Route,
  body: JsonObject,
  signal: AbortSignal,
): Promise<Response> {
  const { provider, model } = route
  let response: Response
  try {
    response = await fetch(`${provider.baseUrl}/chat/completions`, {
      method: 'POST',
      headers: { ...provider.headers, 'content-type': 'application/json' },
      body: JSON.stringify({ ...body, model }),
      // A redirect could lead anywhere, with the key in its luggage.
      redirect: 'manual',
      signal,
    })
  } catch (cause) {
    throw unreachable(provider.name, cause)
  }
  if (response.ok) return response
  throw await refusal(provider.name, response)
}

/** The names of the models that a provider offers. */
export async function listModels(fetch: Fetch, provider: Provider): Promise<readonly string[]> {
  const response = await fetch(`${provider.baseUrl}/models`, {
    method: 'GET',
    headers: provider.headers,
    redirect: 'manual',
    signal: AbortSignal.timeout(LIST_TIMEOUT_MS),
  })
  if (!response.ok || !response.body) {
    await response.body?.cancel()
    throw new Error(`status ${response.status}`)
  }
  const list = parseJson(await readBounded(response.body, MAX_LIST_BYTES))
  const models = isObject(list) && Array.isArray(list.data) ? list.data : undefined
  if (!models)
    throw new GatewayError(
      'upstream_invalid',
      'The list of models has an unknown form.',
      'Check the base URL.',
    )
  return models.flatMap((model) => (isObject(model) && typeof model.id === 'string' ? [model.id] : []))
}
