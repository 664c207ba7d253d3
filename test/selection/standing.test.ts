import { describe, expect, it } from 'vitest'
import { standing } from '../../src/selection/standing.ts'
import { model } from './models.ts'

describe("a custom model that is served on the operator's account", () => {
  const system = model('custom:beast-mode-code-generator', {
    ownerId: 'the system',
    isPublic: true,
    isOnPlan: true,
    plans: ['paid'],
  })

  it('is open to the plans of its provider, and to no other under a new name', () => {
    expect(standing(system, 'me', 'paid').excluded).toBeUndefined()
    expect(standing(system, 'me', 'free').excluded).toBe('plan_required')
    expect(standing({ ...system, plans: ['free', 'paid'] }, 'me', 'free').excluded).toBeUndefined()
    expect(standing({ ...system, ownerId: 'me' }, 'me', 'free').excluded).toBe('plan_required')
  })

  it("stays hidden where it is another tenant's", () => {
    expect(standing({ ...system, isPublic: false }, 'me', 'free').excluded).toBe('not_yours')
  })

  it('needs no plan where it has an endpoint of its own', () => {
    expect(standing({ ...system, isOnPlan: false }, 'me', 'free').excluded).toBeUndefined()
  })
})
