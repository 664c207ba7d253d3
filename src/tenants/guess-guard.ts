import { GatewayError } from '../core/errors.ts'
import { TokenBucket } from '../core/token-bucket.ts'

const MAX_CLIENTS = 10_000
/** One address may try this many unknown keys at once, and this many a second afterwards. */
const CLIENT_BURST = 20
const CLIENT_PER_SECOND = 1 / 3
/** All addresses together, an isolate: what the directory is asked for at most. */
const ALL_BURST = 200
const ALL_PER_SECOND = 50

/**
 * Bounds what guessing keys can cost. Only look-ups that find nothing are counted, so that a caller with
 * a good key is never held up by its own traffic.
 */
export class GuessGuard {
  readonly #clients = new Map<string, TokenBucket>()
  #all: TokenBucket | undefined

  /**
   * Called before the directory is asked about a key that no cache knows.
   * @throws GatewayError `too_many_guesses` with the seconds to wait
   */
  check(client: string, nowMs: number): void {
    const bucket = this.#clients.get(client)
    if (bucket && !bucket.has(nowMs)) throw tooMany(bucket.secondsUntilNext(nowMs))
    this.#all ??= new TokenBucket(ALL_BURST, ALL_PER_SECOND, nowMs)
    if (!this.#all.has(nowMs)) throw tooMany(this.#all.secondsUntilNext(nowMs))
  }

  /** Called when the directory did not know the key. */
  missed(client: string, nowMs: number): void {
    this.#all?.take(nowMs)
    let bucket = this.#clients.get(client)
    if (!bucket) {
      const oldest = this.#clients.keys().next()
      if (this.#clients.size >= MAX_CLIENTS && !oldest.done) this.#clients.delete(oldest.value)
      bucket = new TokenBucket(CLIENT_BURST, CLIENT_PER_SECOND, nowMs)
      this.#clients.set(client, bucket)
    }
    bucket.take(nowMs)
  }
}

const tooMany = (retryAfterSeconds: number) =>
  new GatewayError(
    'too_many_guesses',
    'Too many unknown API keys were tried from here.',
    'Check the API key in your client, then try again after the time given in Retry-After.',
    { retryAfterSeconds },
  )
