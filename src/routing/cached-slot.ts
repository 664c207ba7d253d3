import type { SlotMaker } from '../cache/slot.ts'
import type { CacheSlot } from '../cache/tier.ts'
import type { WaitUntil } from '../core/clock.ts'
import { isObject, type JsonValue } from '../core/json.ts'
import type { Tenant } from '../tenants/tenant.ts'
import { checkChatRequest } from './chat-request.ts'
import { type PlanServices, wish } from './plan.ts'

/**
 * Where the answer to this very request lies.
 * @throws GatewayError what a chat request with this body is refused with before it is looked up
 */
export async function cachedSlot(
  services: PlanServices & { readonly slots: SlotMaker },
  tenant: Tenant,
  body: JsonValue,
  waitUntil: WaitUntil,
): Promise<CacheSlot> {
  const { slots } = services
  const canonicalBody = isObject(body) ? slots.canonical(tenant, body) : ''
  const { model } = checkChatRequest(body)
  const { requested } = await wish(services, tenant, model, waitUntil)
  return slots.slot(tenant, requested, canonicalBody)
}
