import { readBounded } from '../core/bytes.ts'
import type { Endpoint } from '../models/provider.ts'
import type { ListedModel, WireFormat } from './adapter.ts'
import { adapterFor } from './adapters.ts'
import type { Fetch } from './fetch.ts'

const LIST_TIMEOUT_MS = 5_000
const MAX_LIST_BYTES = 5_000_000
const decoder = new TextDecoder()

/**
 * The models that a server offers, as it says itself.
 * @param apiKey in plain text; undefined where the server wants none
 * @throws when it does not answer, answers with an error, or with something else than a list
 */
export async function listModels(
  fetch: Fetch,
  format: WireFormat,
  { baseUrl }: Pick<Endpoint, 'baseUrl'>,
  apiKey: string | undefined,
): Promise<readonly ListedModel[]> {
  const adapter = adapterFor(format)
  if (adapter.listPath === undefined) return []
  const response = await fetch(baseUrl + adapter.listPath, {
    method: 'GET',
    headers: apiKey ? adapter.authorize(apiKey) : {},
    redirect: 'manual',
    signal: AbortSignal.timeout(LIST_TIMEOUT_MS),
  })
  if (!response.ok || !response.body) {
    await response.body?.cancel()
    throw new Error(`status ${response.status}`)
  }
  const models = adapter.models(decoder.decode(await readBounded(response.body, MAX_LIST_BYTES)))
  if (!models) throw new Error('the list of models has an unknown form')
  return models
}
