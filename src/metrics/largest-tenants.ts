import type { WaitUntil } from '../core/clock.ts'
import { OTHER } from './catalogue.ts'

export interface LargestTenantsOptions {
  readonly now: () => number
  /** Id and name of each; the same for every isolate, chosen anew each day. */
  readonly load: () => Promise<readonly (readonly [id: string, name: string])[]>
}

/** So many tenants have a label of their own. */
export const MAX_LABELLED = 100
const FRESH_MS = 60 * 60_000
const RETRY_MS = 60_000

/**
 * What tenants are called in metrics. Only those that all isolates agree on have a name: were it each isolate's own
 * choice, a fleet would have as many series as tenants.
 */
export class LargestTenants {
  readonly #options: LargestTenantsOptions
  #names: ReadonlyMap<string, string> = new Map()
  #askAtMs = 0

  constructor(options: LargestTenantsOptions) {
    this.#options = options
  }

  labelOf(tenantId: string): string {
    return this.#names.get(tenantId) ?? OTHER
  }

  /** Looks, once an hour and behind an answer, who they are now. */
  refresh(waitUntil: WaitUntil): void {
    const nowMs = this.#options.now()
    if (nowMs < this.#askAtMs) return
    this.#askAtMs = nowMs + RETRY_MS
    waitUntil(this.#load())
  }

  async #load(): Promise<void> {
    try {
      this.#names = new Map((await this.#options.load()).slice(0, MAX_LABELLED))
      this.#askAtMs = this.#options.now() + FRESH_MS
    } catch {
      // Until the next try the names stay as they were; what has none is counted all the same.
    }
  }
}
