import { DurableObject } from 'cloudflare:workers'
import { Courier } from '../../src/feedback/courier.ts'
import type { Parcel, TelemetryMessage } from '../../src/feedback/outbox.ts'
import { sqlShelf } from './outbox-shelf.ts'

const ERASED = 'erased'

interface Env {
  readonly TELEMETRY: Queue<TelemetryMessage>
}

/**
 * One tenant's account. It knows, at once and for all, which of the tenant's keys may no longer spend, and holds what
 * is to be recorded until the queue has it. Every change is durable before its answer leaves.
 */
export class Account extends DurableObject<Env> {
  readonly #revoked: Set<string>
  #courier: Courier
  /** Ids of tenants are never used again, so this is for good. */
  #isErased: boolean
  #alarmMs = Number.POSITIVE_INFINITY

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    const { sql } = ctx.storage
    sql.exec('create table if not exists revoked_keys (key_id text primary key, revoked_at integer not null)')
    const rows = sql.exec<{ key_id: string }>('select key_id from revoked_keys')
    this.#revoked = new Set([...rows].map((row) => row.key_id))
    this.#isErased = ctx.storage.kv.get<boolean>(ERASED) ?? false
    this.#courier = this.#newCourier()
    this.#setAlarm()
  }

  /** Revoking again changes nothing. */
  revoke(keyId: string): void {
    this.ctx.storage.sql.exec(
      'insert or ignore into revoked_keys (key_id, revoked_at) values (?, ?)',
      keyId,
      Date.now(),
    )
    this.#revoked.add(keyId)
  }

  /** @param abandoned the row that tells of the request should nothing more be heard of it */
  maySpend(keyId: string, abandoned?: Parcel): boolean {
    if (this.#isErased) return false
    if (abandoned) this.#courier.expect(abandoned)
    this.#setAlarm()
    return !this.#revoked.has(keyId)
  }

  /**
   * What became of a request.
   * @param text what was said in it, where that is kept; left out when there is no room for it
   * @returns false when the outbox is full
   */
  settle(parcel: Parcel, text?: Parcel): boolean {
    // Taken, and dropped: otherwise it would go another way.
    if (this.#isErased) return true
    const taken = this.#courier.settle(parcel)
    if (taken && text) this.#courier.add([text])
    this.#setAlarm()
    return taken
  }

  /** @returns false when the outbox is full, or the tenant erased; then none was taken */
  add(parcels: readonly Parcel[]): boolean {
    if (this.#isErased) return false
    const taken = this.#courier.add(parcels)
    this.#setAlarm()
    return taken
  }

  /** Drops what waits here, and from now on whatever comes. Nothing is spent any more. Again, it changes nothing. */
  erase(): void {
    this.ctx.storage.kv.put(ERASED, true)
    this.ctx.storage.sql.exec('delete from outbox')
    this.#isErased = true
    this.#courier = this.#newCourier()
  }

  override async alarm(): Promise<void> {
    this.#alarmMs = Number.POSITIVE_INFINITY
    await this.#courier.deliver()
    this.#setAlarm()
  }

  #newCourier(): Courier {
    return new Courier({
      shelf: sqlShelf(this.ctx.storage.sql),
      now: Date.now,
      random: Math.random,
      send: async (message) => void (await this.env.TELEMETRY.send(message)),
    })
  }

  #setAlarm(): void {
    const { nextMs } = this.#courier
    if (nextMs >= this.#alarmMs) return
    this.#alarmMs = nextMs
    void this.ctx.storage.setAlarm(nextMs)
  }
}
