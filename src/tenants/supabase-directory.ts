import type { SupabaseClient } from '@supabase/supabase-js'
import { GatewayError } from '../core/errors.ts'
import type { KeyDirectory } from './authenticator.ts'
import { LIMIT_COLUMNS, type LimitColumns, limitsOf } from './limit-columns.ts'
import { SCOPES, type Scope, scopesOf } from './scopes.ts'
import type { BudgetKind, CachePolicy, Caller, Plan, PurgeMarks, Tenant } from './tenant.ts'
import { createVirtualKey, type KeyDigest, keyHint } from './virtual-key.ts'

type TenantRow = {
  readonly id: string
  readonly name: string
  readonly plan: Plan
  readonly epoch: number
  readonly cache_policy: CachePolicy
  readonly cache_by_user: boolean
  readonly keeps_text: boolean
  readonly budget: BudgetKind
  readonly purge_marks: PurgeMarks
} & LimitColumns

type KeyRow = {
  readonly id: string
  readonly scopes: readonly string[]
  readonly last_used_at: string | null
  readonly hint: string
  readonly created_at: string
  readonly expires_at: string | null
  readonly revoked_at: string | null
  readonly tenants: TenantRow
} & LimitColumns

/** All that is stored of a key, whatever else its columns are. */
export interface StoredKey extends KeyRow {
  readonly tenant_id: string
  readonly digest: string
}

/** A key as an operator sees it: everything but the key. */
export interface KeyListing {
  readonly id: string
  readonly tenant: string
  readonly plan: Plan
  readonly hint: string
  readonly created_at: string
  readonly expires_at: string | null
  readonly revoked_at: string | null
  readonly last_used_at: string | null
  readonly scopes: readonly string[]
}

/** What an operator says of a new key. */
export interface NewKey {
  readonly id: string
  readonly expires_at: string | null
  readonly scopes: readonly Scope[]
}

const LISTED = 'id, hint, created_at, expires_at, revoked_at, last_used_at, scopes'
const COLUMNS =
  `id, hint, created_at, expires_at, revoked_at, last_used_at, scopes, ${LIMIT_COLUMNS}, tenants!inner (id, name, plan, epoch, cache_policy, cache_by_user, keeps_text, budget, purge_marks, ${LIMIT_COLUMNS})` as const

/** Tenants and virtual keys in Supabase: the truth that all copies of a key record are made from. */
export class SupabaseDirectory implements KeyDirectory {
  readonly #connect: () => SupabaseClient
  readonly #digest: KeyDigest
  readonly #now: () => number

  constructor(connect: () => SupabaseClient, digest: KeyDigest, now: () => number) {
    this.#connect = connect
    this.#digest = digest
    this.#now = now
  }

  async find(digest: string): Promise<Caller | undefined> {
    const { data } = await this.#connect()
      .from('virtual_keys')
      .select(COLUMNS)
      .eq('digest', digest)
      // In the query, not afterwards: a row that came back would tell a revoked key from an unknown one by time.
      .is('revoked_at', null)
      .maybeSingle<KeyRow>()
      .throwOnError()
    if (!data) return undefined
    const expiresAtMs = data.expires_at === null ? null : Date.parse(data.expires_at)
    if (expiresAtMs !== null && expiresAtMs <= this.#now()) return undefined
    const { id: keyId, tenants, scopes } = data
    return { keyId, expiresAtMs, tenant: toTenant(tenants), limits: limitsOf(data), scopes: scopesOf(scopes) }
  }

  /**
   * Makes a key, and its tenant where that is new.
   * @param plan of a new tenant ('free' when not given); given for one that exists, it becomes its plan
   * @returns the key itself, which is kept nowhere
   */
  async create(
    tenantName: string,
    plan: Plan | undefined,
    expiresAtMs: number | null,
  ): Promise<KeyListing & { key: string }> {
    const tenant = await this.#tenant(tenantName, plan)
    const expires_at = expiresAtMs === null ? null : new Date(expiresAtMs).toISOString()
    return this.issue(tenant, { id: crypto.randomUUID(), expires_at, scopes: SCOPES })
  }

  /** Makes a key of a tenant that there is. @returns the key itself, which is kept nowhere */
  issue(
    tenant: Pick<Tenant, 'id' | 'name' | 'plan'>,
    { id, expires_at, scopes }: NewKey,
  ): Promise<KeyListing & { key: string }> {
    return this.#insert({ id, tenant_id: tenant.id, expires_at, scopes }, tenant)
  }

  /** A new key with all that an old one may. @returns the key itself, which is kept nowhere */
  copy(old: StoredKey, id: string, expires_at: string | null): Promise<KeyListing & { key: string }> {
    const { digest: _, hint: _hint, created_at, revoked_at, last_used_at, tenants, ...rights } = old
    return this.#insert({ ...rights, id, expires_at }, tenants)
  }

  async #insert(
    row: Readonly<Record<string, unknown>>,
    tenant: Pick<Tenant, 'name' | 'plan'>,
  ): Promise<KeyListing & { key: string }> {
    const key = createVirtualKey()
    const { data } = await this.#connect()
      .from('virtual_keys')
      .insert({ ...row, digest: await this.#digest.of(key), hint: keyHint(key) })
      .select(LISTED)
      .single<ListedRow>()
      .throwOnError()
    return { ...toListing(data, tenant), key }
  }

  /** A key by its id, with all its columns. */
  async key(id: string): Promise<StoredKey | undefined> {
    const { data } = await this.#connect()
      .from('virtual_keys')
      .select('*, tenants!inner (*)')
      .eq('id', id)
      .maybeSingle<StoredKey>()
      .throwOnError()
    return data ?? undefined
  }

  /** The key ends then. */
  async expire(id: string, expires_at: string): Promise<void> {
    await this.#connect().from('virtual_keys').update({ expires_at }).eq('id', id).throwOnError()
  }

  /** Notes when a key was used. */
  async used(id: string, atMs: number): Promise<void> {
    const last_used_at = new Date(atMs).toISOString()
    await this.#connect().from('virtual_keys').update({ last_used_at }).eq('id', id).throwOnError()
  }

  /** Newest first. @param tenantName only this tenant's */
  async list(tenantName: string | undefined): Promise<KeyListing[]> {
    let query = this.#connect().from('virtual_keys').select(COLUMNS)
    if (tenantName !== undefined) query = query.eq('tenants.name', tenantName)
    const { data } = await query
      .order('created_at', { ascending: false })
      .limit(1_000)
      .overrideTypes<KeyRow[], { merge: false }>()
      .throwOnError()
    return (data ?? []).map((row) => toListing(row, row.tenants))
  }

  /** @returns the tenant and moment of revocation; undefined when there is no such key */
  async revoke(keyId: string): Promise<{ tenantId: string; digest: string; revokedAt: string } | undefined> {
    const connection = this.#connect()
    const revokedAt = new Date(this.#now()).toISOString()
    await connection
      .from('virtual_keys')
      .update({ revoked_at: revokedAt })
      .eq('id', keyId)
      .is('revoked_at', null)
      .throwOnError()
    const { data } = await connection
      .from('virtual_keys')
      .select('tenant_id, digest, revoked_at')
      .eq('id', keyId)
      .maybeSingle<{ tenant_id: string; digest: string; revoked_at: string }>()
      .throwOnError()
    return data ? { tenantId: data.tenant_id, digest: data.digest, revokedAt: data.revoked_at } : undefined
  }

  async tenantNamed(name: string): Promise<Tenant | undefined> {
    const { data } = await this.#connect()
      .from('tenants')
      .select()
      .eq('name', name)
      .maybeSingle<TenantRow>()
      .throwOnError()
    return data ? toTenant(data) : undefined
  }

  async #tenant(name: string, plan: Plan | undefined): Promise<Tenant> {
    const connection = this.#connect()
    if (plan !== undefined) {
      const { data } = await connection
        .from('tenants')
        .upsert({ name, plan }, { onConflict: 'name' })
        .select()
        .single<TenantRow>()
        .throwOnError()
      return toTenant(data)
    }
    // Two creations at once must not fail over a tenant that the other has just made.
    await connection
      .from('tenants')
      .upsert({ name }, { onConflict: 'name', ignoreDuplicates: true })
      .throwOnError()
    const made = await this.tenantNamed(name)
    if (!made) throw new GatewayError('store_unavailable', 'The tenant could not be made.', 'Try again.')
    return made
  }
}

const toTenant = (row: TenantRow): Tenant => ({
  id: row.id,
  name: row.name,
  plan: row.plan,
  epoch: row.epoch,
  cachePolicy: row.cache_policy,
  cacheByUser: row.cache_by_user,
  keepsText: row.keeps_text,
  budget: row.budget,
  purgeMarks: Object.keys(row.purge_marks).length === 0 ? undefined : row.purge_marks,
  limits: limitsOf(row),
})

type ListedRow = Pick<
  KeyRow,
  'id' | 'hint' | 'created_at' | 'expires_at' | 'revoked_at' | 'last_used_at' | 'scopes'
>

const toListing = (
  { id, hint, created_at, expires_at, revoked_at, last_used_at, scopes }: ListedRow,
  tenant: Pick<Tenant, 'name' | 'plan'>,
): KeyListing => ({
  id,
  tenant: tenant.name,
  plan: tenant.plan,
  hint,
  created_at,
  expires_at,
  revoked_at,
  last_used_at,
  scopes,
})
