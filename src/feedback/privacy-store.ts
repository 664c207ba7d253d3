/** One end user of a tenant: as the tenant calls it, and as predictions name it. */
export interface EndUser {
  readonly name: string
  readonly hash: string
}

/** Something that is kept of a tenant. */
export interface ExportRow {
  /** The table, as a rule. */
  readonly section: string
  /** When it came about, as the database writes it: with it and the id the next page is asked for. */
  readonly at: string
  readonly record_id: string
  /** JSON, in one line. */
  readonly record: string
}

/** What is kept of tenants and their users. Every call may reject; each is done wholly or not at all. */
export interface PrivacyStore {
  /** The rows after this one, few enough for memory; none = that was all. @param user that one's only */
  page(
    tenantId: string,
    user: EndUser | undefined,
    after: ExportRow | undefined,
  ): Promise<readonly ExportRow[]>

  /** Ends the tenant's keys, and makes its cached answers unreadable. */
  close(tenantId: string): Promise<void>
  keys(tenantId: string, limit: number): Promise<readonly { readonly id: string; readonly digest: string }[]>
  dropKeys(ids: readonly string[]): Promise<void>
  /** Some rows of each table, and once there are none the tenant itself. @returns how many went, by table */
  eraseTenant(tenantId: string): Promise<ReadonlyMap<string, number>>

  /** From here on what is stored late of the user is nobody's. */
  noteErasedUser(tenantId: string, user: EndUser): Promise<void>
  /** @returns how many of its predictions went; 0 = none is left */
  eraseUser(tenantId: string, user: EndUser): Promise<number>
  /** @returns how many answers went, and whether that was all: then those in the other tiers are unreadable too */
  clearCache(tenantId: string): Promise<{ readonly removed: number; readonly isEmpty: boolean }>
}
