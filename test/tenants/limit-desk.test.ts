import { describe, expect, it } from 'vitest'
import { LimitDesk, type LimitStore } from '../../src/tenants/limit-desk.ts'
import type { OwnedLimits } from '../../src/tenants/limits.ts'

const LIMITS = { keyId: null, requestsPerMinute: 5 }

function desk() {
  const held = new Map<string | null, OwnedLimits>()
  const told: unknown[] = []
  const state = { accountDown: false, beforeTold: () => {} }
  const store: LimitStore = {
    list: async () => [...held.values()],
    put: async (_tenant, keyId, limits) => {
      if (keyId !== null && keyId !== 'own') return false
      if (Object.keys(limits).length > 0) held.set(keyId, { keyId, ...limits })
      else held.delete(keyId)
      return true
    },
  }
  const mustBeThere = () => {
    if (state.accountDown) throw new Error('Network connection lost')
  }
  const made = new LimitDesk({
    store,
    accounts: {
      setLimits: async (...args) => {
        mustBeThere()
        state.beforeTold()
        told.push(args)
      },
      limitStates: async () => {
        mustBeThere()
        return []
      },
    },
    forget: (tenantId) => void told.push(`forget ${tenantId}`),
  })
  return { desk: made, held, told, state }
}

describe('setting limits', () => {
  it('tells the account all of them, and of a foreign key nothing', async () => {
    const { desk: made, told } = desk()
    await made.put('t', LIMITS)
    expect(told).toEqual(['forget t', ['t', [LIMITS]]])
    await expect(made.put('t', { ...LIMITS, keyId: 'other' })).rejects.toMatchObject({ code: 'not_found' })
    await expect(made.remove('t', 'other')).rejects.toMatchObject({ code: 'not_found' })
    expect(told).toHaveLength(2)
  })

  it('beside another change leaves the account with both', async () => {
    const { desk: made, held, told, state } = desk()
    const other = { keyId: 'own', concurrency: 1 }
    state.beforeTold = () => {
      state.beforeTold = () => {}
      held.set('own', other)
    }
    await made.put('t', LIMITS)
    expect(told.at(-1)).toEqual(['t', [LIMITS, other]])
  })

  it('that the account was not told says that it is stored and not in force; sent again, it is', async () => {
    const { desk: made, held, told, state } = desk()
    state.accountDown = true
    await expect(made.put('t', LIMITS)).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringMatching(/stored, but not in force/),
      retryAfterSeconds: 5,
    })
    expect([...held.values()]).toEqual([LIMITS])
    await expect(made.states('t')).rejects.toMatchObject({ code: 'store_unavailable' })
    await expect(made.remove('t', null)).rejects.toMatchObject({ code: 'store_unavailable' })
    state.accountDown = false
    // The second time there are none to remove, and the account is told nevertheless.
    expect(await made.remove('t', null)).toBe(false)
    expect(told.at(-1)).toEqual(['t', []])
  })
})
