import { DurableObject } from 'cloudflare:workers'
import {
  type Asked,
  type Claim,
  type ClaimAnswer,
  MEMORY_MS,
  type Outcome,
} from '../../src/routing/idempotency.ts'
import { ClaimDesk } from '../../src/routing/idempotency-desk.ts'
import { workerClock } from '../clock.ts'

const CLAIM = 'claim'

/**
 * One `Idempotency-Key` of one tenant, an object each (see docs/decisions/0008). It sees digests and sealed text
 * only. Every change is durable before its answer leaves.
 */
export class Idempotency extends DurableObject {
  readonly #desk: ClaimDesk

  constructor(ctx: DurableObjectState, env: unknown) {
    super(ctx, env as never)
    const { kv } = ctx.storage
    this.#desk = new ClaimDesk(workerClock, {
      read: () => kv.get<Claim>(CLAIM),
      write: (claim) => void (claim ? kv.put(CLAIM, claim) : kv.delete(CLAIM)),
    })
  }

  async claim(asked: Asked, waitMs: number): Promise<ClaimAnswer> {
    const answer = await this.#desk.claim(asked, waitMs)
    if (answer.kind === 'yours') await this.ctx.storage.setAlarm(Date.now() + MEMORY_MS)
    return answer
  }

  renew(owner: string): boolean {
    return this.#desk.renew(owner)
  }

  finish(owner: string, outcome: Outcome): boolean {
    return this.#desk.finish(owner, outcome)
  }

  release(owner: string): void {
    this.#desk.release(owner)
  }

  /** Leaves nothing behind, unless the key was taken anew meanwhile. */
  override async alarm(): Promise<void> {
    const claim = this.ctx.storage.kv.get<Claim>(CLAIM)
    if (claim && claim.expiresAtMs > Date.now()) await this.ctx.storage.setAlarm(claim.expiresAtMs)
    else await this.ctx.storage.deleteAll()
  }
}
