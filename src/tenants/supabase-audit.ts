import type { SupabaseClient } from '@supabase/supabase-js'
import type { AuditEntry, AuditLog, AuditQuery, NewAuditEntry } from './audit.ts'

/** The audit log in Supabase, where even the service role may only add and read. */
export class SupabaseAudit implements AuditLog {
  readonly #connect: () => SupabaseClient

  constructor(connect: () => SupabaseClient) {
    this.#connect = connect
  }

  async add(entry: NewAuditEntry): Promise<void> {
    const { id, tenantId = null, by, action, requestId, target = null, before = null, after = null } = entry
    const byId = by.kind === 'key' ? by.id : null
    await this.#connect()
      .rpc(
        'write_audit',
        storable({
          entry_id: id,
          of_tenant: tenantId,
          by_actor: by.kind,
          by_id: byId,
          done_action: action,
          of_request: requestId,
          on_target: target?.slice(0, MAX_TARGET) ?? null,
          state_before: before,
          state_after: after,
        }),
      )
      .throwOnError()
  }

  async failed({ id, tenantId, by, action }: NewAuditEntry, code: string): Promise<void> {
    await this.#connect()
      .from('audit_log')
      .insert({
        id: crypto.randomUUID(),
        tenant_id: tenantId ?? null,
        actor: by.kind,
        actor_id: by.kind === 'key' ? by.id : null,
        action,
        failed_id: id,
        failure: code,
      })
      .throwOnError()
  }

  async list({ from, to, tenant, action, actor, limit, cursor }: AuditQuery): Promise<AuditEntry[]> {
    let query = this.#connect().from('audit_entries').select()
    if (from !== undefined) query = query.gte('at', from)
    if (to !== undefined) query = query.lt('at', to)
    if (tenant !== undefined) query = query.eq('tenant', tenant)
    if (action !== undefined) query = query.eq('action', action)
    if (actor !== undefined) query = query.eq('actor', actor.kind)
    if (actor?.kind === 'key') query = query.eq('actor_id', actor.id)
    if (cursor !== undefined) query = query.lt('id', cursor)
    const { data } = await query
      .order('id', { ascending: false })
      .limit(limit)
      .overrideTypes<AuditEntry[], { merge: false }>()
      .throwOnError()
    return data.map((entry) => ({ ...entry, at: new Date(entry.at).toISOString() }))
  }
}

const MAX_TARGET = 512

/** Postgres holds no text with NUL. */
const storable = (args: object) => JSON.parse(JSON.stringify(args).replaceAll('\\u0000', '\\ufffd'))
