import type { SupabaseClient } from '@supabase/supabase-js'
import { BudgetDesk } from '../../src/cost/budget-desk.ts'
import { listBounds } from '../../src/cost/list-bounds.ts'
import { SupabaseBudgets } from '../../src/cost/supabase-budgets.ts'
import { toParcel } from '../../src/feedback/outbox.ts'
import type { SpendingServices } from '../../src/routing/spending.ts'
import { IsolateRates } from '../../src/tenants/isolate-rates.ts'
import { LimitDesk } from '../../src/tenants/limit-desk.ts'
import { SupabaseLimits } from '../../src/tenants/supabase-limits.ts'
import type { Account } from '../state/account.ts'
import { type Env, positiveInteger } from './env.ts'

/** The tenant's account object. */
export type AccountOf = (tenantId: string) => DurableObjectStub<Account>

/** How requests ask tenants' accounts for money. */
export const spendingServices = (env: Env, account: AccountOf): SpendingServices => ({
  accounts: {
    maySpend: async (tenantId, keyId, abandoned, ask) =>
      account(tenantId).maySpend(keyId, abandoned && toParcel({ kind: 'prediction', row: abandoned }), ask),
  },
  bounds: listBounds(),
  rates: new IsolateRates(),
  outputCapTokens: positiveInteger(env, 'BUDGET_OUTPUT_CAP_TOKENS', 4_096),
})

/** How budgets are set. */
export const budgetDesk = (
  connect: () => SupabaseClient,
  account: AccountOf,
  now: () => number,
  forget: (tenantId: string) => void,
): BudgetDesk =>
  new BudgetDesk({
    store: new SupabaseBudgets(connect, now),
    accounts: {
      setBudgets: async (tenantId, budgets, known, name) =>
        account(tenantId).setBudgets(budgets, known, name),
      budgetStates: async (tenantId) => account(tenantId).budgetStates(),
    },
    forget,
  })

/** How limits are set. */
export const limitDesk = (
  connect: () => SupabaseClient,
  account: AccountOf,
  forget: (tenantId: string) => void,
): LimitDesk =>
  new LimitDesk({
    store: new SupabaseLimits(connect),
    accounts: {
      setLimits: async (tenantId, limits) => account(tenantId).setLimits(limits),
      limitStates: async (tenantId) => account(tenantId).limitStates(),
    },
    forget,
  })
