/** What is counted of one request. */
export interface Counted {
  readonly outcome: string
  readonly cache: string
}

/** Counts requests by outcome and by what the cache did, since the isolate started. Every request once. */
export class RequestCounts {
  readonly #outcomes: Record<string, number> = { success: 0, client_error: 0, error: 0, cancelled: 0 }
  readonly #cache: Record<string, number> = { hit: 0, miss: 0, bypass: 0, none: 0 }
  #total = 0

  add({ outcome, cache }: Counted): void {
    this.#total += 1
    this.#outcomes[outcome] = (this.#outcomes[outcome] ?? 0) + 1
    this.#cache[cache] = (this.#cache[cache] ?? 0) + 1
  }

  snapshot(): { total: number; outcome: Record<string, number>; cache: Record<string, number> } {
    return { total: this.#total, outcome: { ...this.#outcomes }, cache: { ...this.#cache } }
  }
}
