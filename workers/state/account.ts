import { DurableObject } from 'cloudflare:workers'

/** One tenant's account. It knows, at once and for all, which of the tenant's keys may no longer spend. */
export class Account extends DurableObject {
  readonly #revoked: Set<string>

  constructor(ctx: DurableObjectState, env: unknown) {
    super(ctx, env as never)
    const { sql } = ctx.storage
    sql.exec('create table if not exists revoked_keys (key_id text primary key, revoked_at integer not null)')
    const rows = sql.exec<{ key_id: string }>('select key_id from revoked_keys')
    this.#revoked = new Set([...rows].map((row) => row.key_id))
  }

  /** Durable before the answer leaves. Revoking again changes nothing. */
  revoke(keyId: string): void {
    this.ctx.storage.sql.exec(
      'insert or ignore into revoked_keys (key_id, revoked_at) values (?, ?)',
      keyId,
      Date.now(),
    )
    this.#revoked.add(keyId)
  }

  maySpend(keyId: string): boolean {
    return !this.#revoked.has(keyId)
  }
}
