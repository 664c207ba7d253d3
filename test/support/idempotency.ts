import type { Clock } from '../../src/core/clock.ts'
import { uuidv7 } from '../../src/core/ids.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { Vault } from '../../src/core/vault.ts'
import { type Endpoint, type Target, targetOf } from '../../src/models/provider.ts'
import type { ChatAnswer, ChatCall } from '../../src/routing/chat.ts'
import type { Claim } from '../../src/routing/idempotency.ts'
import { ClaimDesk } from '../../src/routing/idempotency-desk.ts'
import { type ClaimStore, IdempotencyKeys } from '../../src/routing/idempotency-keys.ts'
import { answerOnce, type OnceAnswer } from '../../src/routing/once.ts'
import { type RequestEvent, Settlement } from '../../src/routing/settlement.ts'
import type { Tenant } from '../../src/tenants/tenant.ts'
import { ROOT_KEY, slotMaker } from './slots.ts'

/** Desks in memory, which can be taken off the network. */
export function memoryClaims(clock: Clock) {
  const claims = new Map<string, Claim | undefined>()
  const desks = new Map<string, ClaimDesk>()
  const state = { down: false, calls: [] as string[] }
  const at = async (name: string, call: string): Promise<ClaimDesk> => {
    state.calls.push(call)
    if (state.down) throw new Error('Network connection lost')
    const cell = {
      read: () => claims.get(name),
      write: (claim: Claim | undefined) => void claims.set(name, claim),
    }
    const desk = desks.get(name) ?? new ClaimDesk(clock, cell)
    desks.set(name, desk)
    return desk
  }
  const store: ClaimStore = {
    claim: async (name, asked, waitMs) =>
      (await at(name, waitMs > 0 ? 'wait' : 'claim')).claim(asked, waitMs),
    renew: async (name, owner) => (await at(name, 'renew')).renew(owner),
    finish: async (name, owner, outcome) => (await at(name, 'finish')).finish(owner, outcome),
    release: async (name, owner) => (await at(name, 'release')).release(owner),
  }
  return { claims, state, store }
}

export interface Sent {
  readonly answer: Promise<OnceAnswer>
  readonly events: readonly RequestEvent[]
  leave(): void
}

/** Requests with keys, and what is remembered of them. */
export function onceBench(clock: Clock) {
  const { claims, state, store } = memoryClaims(clock)
  const parts = { clock, vault: new Vault(ROOT_KEY), slots: slotMaker, store }
  const keys = new IdempotencyKeys(parts)
  const background: Promise<unknown>[] = []
  let requests = 0
  const send = (
    tenant: Tenant,
    key: string,
    body: JsonObject,
    story: (call: ChatCall) => Promise<ChatAnswer>,
  ): Sent => {
    const events: RequestEvent[] = []
    const left = new AbortController()
    const settlement = new Settlement(`request-${++requests}`, uuidv7(clock.now()), clock.now, (event) =>
      events.push(event),
    )
    const call: ChatCall = {
      caller: { keyId: 'key', expiresAtMs: null, tenant },
      body,
      headers: { cacheControl: undefined, beastCache: undefined },
      signal: () => left.signal,
      waitUntil: (promise) => void background.push(promise),
      settlement,
    }
    return { answer: answerOnce(keys, call, key, story), events, leave: () => left.abort() }
  }
  return { claims, state, send, settled: () => Promise.allSettled(background) }
}

export const answered = (body: ChatAnswer['body'], kind: ChatAnswer['kind'] = 'json'): ChatAnswer => ({
  kind,
  body,
  cacheStatus: 'beast; fwd=bypass',
  age: undefined,
  route: 'route',
})

const endpoint: Endpoint = { id: 'sim', baseUrl: 'http://sim', host: 'sim', weight: 1, isForeign: false }

/** A model that a story may say it has asked. */
export const TARGET: Target = targetOf(
  {
    id: 'sim:model',
    revision: '1',
    model: 'model',
    provider: { name: 'sim', format: 'openai', endpoints: [endpoint], plans: ['paid'], revision: '1' },
  },
  endpoint,
)
