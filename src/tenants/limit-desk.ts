import { GatewayError } from '../core/errors.ts'
import type { LimitState, Limits, OwnedLimits } from './limits.ts'

/** Where limits are kept. */
export interface LimitStore {
  list(tenantId: string): Promise<readonly OwnedLimits[]>
  /** In the place of what was there, of the key or of the whole tenant. @returns whether there is such a key */
  put(tenantId: string, keyId: string | null, limits: Limits): Promise<boolean>
}

/** A tenant's account, which judges by its own copy. */
export interface LimitAccounts {
  setLimits(tenantId: string, limits: readonly OwnedLimits[]): Promise<void>
  limitStates(tenantId: string): Promise<readonly LimitState[]>
}

export interface LimitDeskOptions {
  readonly store: LimitStore
  readonly accounts: LimitAccounts
  /** The tenant has changed. */
  readonly forget: (tenantId: string) => void
}

/** The account is told again while others change limits, too. */
const MAX_TELLS = 5

/** Sets limits: they are stored first, and in force once the account has them. */
export class LimitDesk {
  readonly #options: LimitDeskOptions

  constructor(options: LimitDeskOptions) {
    this.#options = options
  }

  /** How far each limit is used, by the account's own word. @throws GatewayError `store_unavailable` */
  async states(tenantId: string): Promise<readonly LimitState[]> {
    try {
      return await this.#options.accounts.limitStates(tenantId)
    } catch (cause) {
      throw new GatewayError(
        'store_unavailable',
        'The account that knows the limits does not answer.',
        'Try again after the time given in Retry-After.',
        { cause, retryAfterSeconds: 5 },
      )
    }
  }

  /** In the place of those of the same key. @throws GatewayError `not_found`, `store_unavailable` */
  async put(tenantId: string, { keyId, ...limits }: OwnedLimits): Promise<void> {
    if (!(await this.#options.store.put(tenantId, keyId, limits))) throw noSuchKey()
    await this.#tell(tenantId)
  }

  /** Again, it tells the account once more. @returns whether there were any */
  async remove(tenantId: string, keyId: string | null): Promise<boolean> {
    const { store } = this.#options
    const had = (await store.list(tenantId)).some((limits) => limits.keyId === keyId)
    if (!(await store.put(tenantId, keyId, {}))) throw noSuchKey()
    await this.#tell(tenantId)
    return had
  }

  async #tell(tenantId: string): Promise<void> {
    const { store, accounts, forget } = this.#options
    forget(tenantId)
    try {
      let limits = await store.list(tenantId)
      // Another change at the same time may have told it more already, which this one would take back.
      for (let tries = 0; tries < MAX_TELLS; tries++) {
        await accounts.setLimits(tenantId, limits)
        const stored = await store.list(tenantId)
        if (JSON.stringify(stored) === JSON.stringify(limits)) return
        limits = stored
      }
    } catch (cause) {
      throw notInForce(cause)
    }
    throw notInForce(undefined)
  }
}

const noSuchKey = () =>
  new GatewayError(
    'not_found',
    'The tenant has no key with this id.',
    'List its keys with npm run keys -- list --tenant NAME.',
    { param: 'key_id' },
  )

const notInForce = (cause: unknown) =>
  new GatewayError(
    'store_unavailable',
    "The change is stored, but not in force: the tenant's account, or the database, does not answer.",
    'Send the same again after the time given in Retry-After.',
    { cause, retryAfterSeconds: 5 },
  )
