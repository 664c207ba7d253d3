import { describe, expect, it } from 'vitest'
import type { Budget } from '../../src/cost/budget.ts'
import { BudgetDesk, type BudgetStore } from '../../src/cost/budget-desk.ts'

const BUDGET: Budget = { keyId: null, period: 'day', limitNanoUsd: 5, isHard: true }

function desk() {
  const held: Budget[] = []
  const told: unknown[] = []
  const state = { accountDown: false, beforeTold: () => {} }
  const store: BudgetStore = {
    list: async () => [...held],
    tenantName: async (tenantId) => `name of ${tenantId}`,
    hasKey: async (_tenant, keyId) => keyId === 'own',
    put: async (_tenant, budget) => void held.push(budget),
    remove: async () => held.splice(0).length > 0,
    spentThisMonth: async () => [{ key: '', day: '2026-11-20', nanoUsd: 9 }],
  }
  const mustBeThere = () => {
    if (state.accountDown) throw new Error('Network connection lost')
  }
  const made = new BudgetDesk({
    store,
    accounts: {
      setBudgets: async (...args) => {
        mustBeThere()
        state.beforeTold()
        told.push(args)
      },
      budgetStates: async () => {
        mustBeThere()
        return []
      },
    },
    forget: (tenantId) => void told.push(`forget ${tenantId}`),
  })
  return { desk: made, held, told, state }
}

describe('setting a budget', () => {
  it('tells the account all budgets, with what was spent before and the tenant’s name', async () => {
    const { desk: made, told } = desk()
    await made.put('t', BUDGET)
    const known = [{ key: '', day: '2026-11-20', nanoUsd: 9 }]
    expect(told).toEqual(['forget t', ['t', [BUDGET], known, 'name of t']])
  })

  it('of a key of somebody else is refused, and nothing stored', async () => {
    const { desk: made, held, told } = desk()
    await expect(made.put('t', { ...BUDGET, keyId: 'other' })).rejects.toMatchObject({ code: 'not_found' })
    expect([held, told]).toEqual([[], []])
    await made.put('t', { ...BUDGET, keyId: 'own' })
    expect(held).toHaveLength(1)
  })

  it('beside another change leaves the account with both', async () => {
    const { desk: made, held, told, state } = desk()
    const other = { ...BUDGET, period: 'month' } as const
    // It was stored, and told, after this one had read what there is.
    state.beforeTold = () => {
      state.beforeTold = () => {}
      held.push(other)
    }
    await made.put('t', BUDGET)
    expect(told.at(-1)).toEqual(['t', [BUDGET, other], expect.any(Array), 'name of t'])
    expect(told).toHaveLength(3)
  })

  it('that the account was not told says that it is stored and not in force; sent again, it is', async () => {
    const { desk: made, held, told, state } = desk()
    state.accountDown = true
    await expect(made.put('t', BUDGET)).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringMatching(/stored, but not in force/),
      retryAfterSeconds: 5,
    })
    expect(held).toEqual([BUDGET])
    await expect(made.states('t')).rejects.toMatchObject({ code: 'store_unavailable' })
    await expect(made.remove('t', null, 'day')).rejects.toMatchObject({ code: 'store_unavailable' })
    state.accountDown = false
    // The second time there is none to remove, and the account is told nevertheless.
    expect(await made.remove('t', null, 'day')).toBe(false)
    expect(told.at(-1)).toEqual(['t', [], expect.any(Array), 'name of t'])
  })
})
