import type { Context } from 'hono'
import { GatewayError } from '../../src/core/errors.ts'
import { OPERATOR } from '../../src/tenants/audit.ts'
import { limitsOf } from '../../src/tenants/limit-columns.ts'
import type { KeyListing, StoredKey } from '../../src/tenants/supabase-directory.ts'
import type { AppEnv } from './context.ts'
import { audited } from './middleware/audit.ts'
import { stored } from './stored.ts'

const HOUR_MS = 60 * 60_000

export interface Rotated extends KeyListing {
  /** Shown this once. */
  readonly key: string
  readonly replaces: { readonly id: string; readonly ends_at: string }
}

/**
 * A new key with all that the old one may its budgets and limits, for as long as that one was given; the old one ends after the
 * overlap, or when it was to end in any case.
 * @throws GatewayError `conflict` when the old one has ended already
 */
export async function rotateKey(c: Context<AppEnv>, old: StoredKey, overlapHours: number): Promise<Rotated> {
  const { clock, directory } = c.env.services
  const nowMs = clock.now()
  const expiresMs = old.expires_at === null ? Number.POSITIVE_INFINITY : Date.parse(old.expires_at)
  if (old.revoked_at !== null || expiresMs <= nowMs) throw ended()
  const ends_at = new Date(Math.min(expiresMs, nowMs + overlapHours * HOUR_MS)).toISOString()
  const livesMs = expiresMs - Date.parse(old.created_at)
  const expires_at = old.expires_at === null ? null : new Date(nowMs + livesMs).toISOString()
  const id = crypto.randomUUID()
  const entry = {
    action: 'key.rotate',
    tenantId: old.tenant_id,
    target: old.id,
    before: { expires_at: old.expires_at },
    after: { ends_at, replaced_by: id, expires_at },
  }
  return audited(c, OPERATOR, entry, async () => {
    const made = await stored(directory.copy(old, id, expires_at))
    try {
      await copyBudgets(c, old, id)
      await copyLimits(c, old, id)
      if (overlapHours === 0) await endNow(c, old)
      else await stored(directory.expire(old.id, ends_at))
    } catch (error) {
      // Nobody has seen it.
      await directory.revoke(id).catch(() => {})
      throw error
    }
    return { ...made, replaces: { id: old.id, ends_at } }
  })
}

async function copyBudgets(
  c: Context<AppEnv>,
  { id: oldId, tenant_id }: StoredKey,
  id: string,
): Promise<void> {
  const { budgets } = c.env.services
  const own = (await budgets.states(tenant_id)).filter(({ keyId }) => keyId === oldId)
  for (const { period, limitNanoUsd, isHard } of own)
    await stored(budgets.put(tenant_id, { keyId: id, period, limitNanoUsd, isHard }))
}

/** They stand in the new key's row already; the account is told of them. */
async function copyLimits(
  c: Context<AppEnv>,
  { tenant_id, ...old }: StoredKey,
  keyId: string,
): Promise<void> {
  const limits = limitsOf(old)
  if (limits) await stored(c.env.services.limits.put(tenant_id, { keyId, ...limits }))
}

async function endNow(c: Context<AppEnv>, { id, tenant_id, digest }: StoredKey): Promise<void> {
  const { directory, keyRecords, revokeInAccount, authenticator } = c.env.services
  await stored(directory.revoke(id))
  await stored(revokeInAccount(tenant_id, id))
  await keyRecords.remove(digest).catch(() => {})
  authenticator.forget(tenant_id)
}

const ended = () =>
  new GatewayError(
    'conflict',
    'This key has ended already: there is nothing to rotate.',
    'Make a new one with POST /api/admin/keys.',
  )
