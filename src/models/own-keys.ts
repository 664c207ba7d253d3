import { GatewayError } from '../core/errors.ts'
import { keyHintOf } from './describe.ts'
import { baseUrlOf, formatOf, type ModelManagement } from './manage.ts'
import { MAX_PROVIDER_KEYS, type ProviderKey } from './registry.ts'
import type { ProviderKeyRequest } from './requests.ts'
import { WELL_KNOWN_NAMES, wellKnown } from './well-known.ts'

/**
 * Keeps a tenant's own key for a provider, in the place of an earlier one.
 * @throws GatewayError `invalid_request`, `address_refused`, `conflict`
 */
export async function setProviderKey(
  { store, keys, policy, newId }: Pick<ModelManagement, 'store' | 'keys' | 'policy' | 'newId'>,
  tenantId: string,
  provider: string,
  { api_key, base_url, wire_format }: ProviderKeyRequest,
): Promise<ProviderKey> {
  const known = wellKnown(provider)
  const baseUrl = base_url === undefined ? known?.baseUrl : baseUrlOf(policy, base_url, 'base_url')
  if (baseUrl === undefined)
    throw new GatewayError(
      'invalid_request',
      `The address of the provider "${provider}" is not known here.`,
      `Send "base_url" too, or name one of ${WELL_KNOWN_NAMES.join(', ')}.`,
      { param: 'base_url' },
    )
  const own = (await store.load(tenantId)).providerKeys
  if (own.length >= MAX_PROVIDER_KEYS && !own.some((key) => key.provider === provider))
    throw new GatewayError(
      'conflict',
      `There are keys for ${MAX_PROVIDER_KEYS} providers already.`,
      'Delete one that is not used.',
    )
  const id = newId()
  return store.putProviderKey({
    id,
    tenantId,
    provider,
    baseUrl,
    format: wire_format ?? known?.format ?? formatOf(provider),
    key: await keys.seal({ table: 'provider_keys', rowId: id, tenantId }, api_key),
    keyHint: keyHintOf(api_key),
  })
}
