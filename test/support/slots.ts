import type { Origin } from '../../src/cache/entry.ts'
import { SlotMaker } from '../../src/cache/slot.ts'
import type { CacheSlot } from '../../src/cache/tier.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { Vault } from '../../src/core/vault.ts'
import type { Tenant } from '../../src/tenants/tenant.ts'

export const ROOT_KEY = new Uint8Array(32).fill(7)
export const slotMaker = new SlotMaker(new Vault(ROOT_KEY))

export const tenant = (id: string, more: Partial<Tenant> = {}): Tenant => ({
  id,
  name: id,
  plan: 'paid',
  epoch: 1,
  cachePolicy: 'all',
  cacheByUser: true,
  keepsText: false,
  budget: 'none',
  ...more,
})

export const ROUTE = { id: 'simulated:sim-small', revision: '1' }

export const slotOf = (owner: Tenant, body: JsonObject, route = ROUTE): Promise<CacheSlot> =>
  slotMaker.slot(owner, route, slotMaker.canonical(owner, body))

/** Where the answers of tests come from. */
export const ORIGIN: Origin = {
  predictionId: '01890000-0000-7000-8000-000000000001',
  model: 'simulated:sim-small',
  pricedAs: { provider: 'simulated', model: 'sim-small' },
  usage: { inputTokens: 12, outputTokens: 34 },
}

export const chatBody = (text: string, more: JsonObject = {}): JsonObject => ({
  model: 'sim-small',
  messages: [{ role: 'user', content: text }],
  ...more,
})
