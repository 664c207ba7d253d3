import { readBounded } from '../core/bytes.ts'
import type { Provider, SealedCredential } from '../models/provider.ts'
import type { ListedModel } from './adapter.ts'
import { adapterFor } from './adapters.ts'
import type { Fetch } from './fetch.ts'

export interface ListServices {
  readonly fetch: Fetch
  /** For addresses that a tenant gave. */
  readonly guarded: Fetch
  openKey(credential: SealedCredential): Promise<string>
}

const LIST_TIMEOUT_MS = 5_000
const MAX_LIST_BYTES = 5_000_000
const decoder = new TextDecoder()

/**
 * The models that a provider offers, as its first endpoint says; none where its format has no list.
 * @throws when it does not answer, answers with an error, or with something else than a list
 */
export async function listModels(
  services: ListServices,
  { format, endpoints: [endpoint] }: Provider,
): Promise<readonly ListedModel[]> {
  const adapter = adapterFor(format)
  if (adapter.listPath === undefined) return []
  const { credential, baseUrl, isForeign } = endpoint
  const key = typeof credential === 'object' ? await services.openKey(credential) : credential
  const fetch = isForeign ? services.guarded : services.fetch
  const response = await fetch(baseUrl + adapter.listPath, {
    method: 'GET',
    headers: key ? adapter.authorize(key) : {},
    redirect: 'manual',
    signal: AbortSignal.timeout(LIST_TIMEOUT_MS),
  })
  if (!response.ok || !response.body) {
    await response.body?.cancel()
    throw new Error(`status ${response.status}`)
  }
  const models = adapter.models(decoder.decode(await readBounded(response.body, MAX_LIST_BYTES)))
  if (!models) throw new Error('the list of models has an unknown form')
  return withoutKey(models, key)
}

/** A server that names its models after the key it is given would have it shown wherever models are listed. */
export const withoutKey = (
  models: readonly ListedModel[],
  key: string | undefined,
): readonly ListedModel[] => (key ? models.filter(({ id }) => !id.includes(key)) : models)
