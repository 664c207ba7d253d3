import { GatewayError } from '../core/errors.ts'
import type { Budget, BudgetPeriod, BudgetState } from './budget.ts'
import type { DaySpend } from './budget-book.ts'

/** Where budgets are kept, and what was spent before there were any. */
export interface BudgetStore {
  list(tenantId: string): Promise<readonly Budget[]>
  /** Empty where there is no such tenant. */
  tenantName(tenantId: string): Promise<string>
  hasKey(tenantId: string, keyId: string): Promise<boolean>
  put(tenantId: string, budget: Budget): Promise<void>
  /** @returns whether there was one */
  remove(tenantId: string, keyId: string | null, period: BudgetPeriod): Promise<boolean>
  /** By day, of each key and of the whole tenant. */
  spentThisMonth(tenantId: string): Promise<readonly DaySpend[]>
}

/** A tenant's account, which judges by its own copy. */
export interface BudgetAccounts {
  setBudgets(
    tenantId: string,
    budgets: readonly Budget[],
    known: readonly DaySpend[],
    tenantName: string,
  ): Promise<void>
  budgetStates(tenantId: string): Promise<readonly BudgetState[]>
}

export interface BudgetDeskOptions {
  readonly store: BudgetStore
  readonly accounts: BudgetAccounts
  /** The tenant has changed. */
  readonly forget: (tenantId: string) => void
}

/** The account is told again while others change budgets, too. */
const MAX_TELLS = 5

/** Sets budgets: they are stored first, and in force once the account has them. */
export class BudgetDesk {
  readonly #options: BudgetDeskOptions

  constructor(options: BudgetDeskOptions) {
    this.#options = options
  }

  /** How far each budget is used, by the account's own word. @throws GatewayError `store_unavailable` */
  async states(tenantId: string): Promise<readonly BudgetState[]> {
    try {
      return await this.#options.accounts.budgetStates(tenantId)
    } catch (cause) {
      throw new GatewayError(
        'store_unavailable',
        'The account that knows the budgets does not answer.',
        'Try again after the time given in Retry-After.',
        { cause, retryAfterSeconds: 5 },
      )
    }
  }

  /** In the place of the one of the same key and period. @throws GatewayError `not_found`, `store_unavailable` */
  async put(tenantId: string, budget: Budget): Promise<void> {
    const { store } = this.#options
    if (budget.keyId !== null && !(await store.hasKey(tenantId, budget.keyId)))
      throw new GatewayError(
        'not_found',
        'The tenant has no key with this id.',
        'List its keys with npm run keys -- list --tenant NAME.',
        { param: 'key_id' },
      )
    await store.put(tenantId, budget)
    await this.#tell(tenantId)
  }

  /** Again, it tells the account once more. @returns whether there was one */
  async remove(tenantId: string, keyId: string | null, period: BudgetPeriod): Promise<boolean> {
    const removed = await this.#options.store.remove(tenantId, keyId, period)
    await this.#tell(tenantId)
    return removed
  }

  async #tell(tenantId: string): Promise<void> {
    const { store, accounts, forget } = this.#options
    forget(tenantId)
    try {
      const [known, name] = await Promise.all([store.spentThisMonth(tenantId), store.tenantName(tenantId)])
      let budgets = await store.list(tenantId)
      // Another change at the same time may have told it more already, which this one would take back.
      for (let tries = 0; tries < MAX_TELLS; tries++) {
        await accounts.setBudgets(tenantId, budgets, known, name)
        const stored = await store.list(tenantId)
        if (JSON.stringify(stored) === JSON.stringify(budgets)) return
        budgets = stored
      }
    } catch (cause) {
      throw notInForce(cause)
    }
    throw notInForce(undefined)
  }
}

const notInForce = (cause: unknown) =>
  new GatewayError(
    'store_unavailable',
    "The change is stored, but not in force: the tenant's account, or the ledger, does not answer.",
    'Send the same again after the time given in Retry-After.',
    { cause, retryAfterSeconds: 5 },
  )
