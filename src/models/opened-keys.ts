import type { Clock } from '../core/clock.ts'
import { lengthPrefixed } from '../core/vault.ts'
import type { KeyBox, KeyPlace, SealedKey } from './key-box.ts'

interface Opened {
  readonly apiKey: string
  readonly untilMs: number
}

const LIFE_MS = 60_000
const MAX_KEYS = 500
/** Sealed and plain text together. Service accounts take about 6,000 characters; longer ones are opened each time. */
const MAX_KEY_LENGTH = 16_000

/**
 * Provider keys that were opened within the last minute, so that not each request has to. A changed row has another
 * sealed text and is opened anew at once.
 */
export class OpenedKeys {
  readonly #box: Pick<KeyBox, 'open'>
  readonly #clock: Pick<Clock, 'now'>
  // In the order of their ends, since all live equally long.
  readonly #opened = new Map<string, Opened>()

  constructor(box: Pick<KeyBox, 'open'>, clock: Pick<Clock, 'now'>) {
    this.#box = box
    this.#clock = clock
  }

  /** How many are held. */
  get size(): number {
    return this.#opened.size
  }

  /** @throws GatewayError `key_unreadable`; a failure is not remembered */
  async open(place: KeyPlace, sealed: SealedKey): Promise<string> {
    const now = this.#clock.now()
    this.#dropEnded(now)
    const id = lengthPrefixed([sealed.encrypted, sealed.iv, place.table, place.rowId, place.tenantId])
    const known = this.#opened.get(id)
    // Two that opened at once may stand in the other order, a moment apart.
    if (known && known.untilMs > now) return known.apiKey
    const apiKey = await this.#box.open(place, sealed)
    this.#keep(id, { apiKey, untilMs: now + LIFE_MS })
    return apiKey
  }

  #keep(id: string, opened: Opened): void {
    if (id.length + opened.apiKey.length > MAX_KEY_LENGTH) return
    this.#opened.delete(id)
    this.#opened.set(id, opened)
    if (this.#opened.size <= MAX_KEYS) return
    const [oldest = ''] = this.#opened.keys()
    this.#opened.delete(oldest)
  }

  /** Nothing else wakes between requests, so whoever comes clears away what nobody may use any more. */
  #dropEnded(now: number): void {
    for (const [id, { untilMs }] of this.#opened) {
      if (untilMs > now) return
      this.#opened.delete(id)
    }
  }
}
