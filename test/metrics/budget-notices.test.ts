import { expect, it } from 'vitest'
import type { BudgetNews } from '../../src/cost/budget-thresholds.ts'
import { budgetChannels, budgetNotice } from '../../src/metrics/budget-notices.ts'

const KEY = '01890000-0000-7000-8000-00000000000b'
const news = (more: Partial<BudgetNews> = {}): BudgetNews => ({
  id: 'object tenant 2026-11 50',
  tenant: 'acme',
  keyId: null,
  period: 'month',
  periodName: '2026-11',
  percent: 50,
  isHard: false,
  limitNanoUsd: 50_000_000_000,
  spentNanoUsd: 25_004_000_000,
  resetsAtMs: Date.parse('2026-12-01T00:00:00Z'),
  atMs: Date.parse('2026-11-21T12:00:00Z'),
  ...more,
})

it('half of a budget is information, and wakes nobody', () => {
  expect(budgetChannels(news())).toEqual(['slack', 'email'])
  expect(budgetNotice(news())).toEqual({
    kind: 'budget',
    id: 'Budget object tenant 2026-11 50',
    rule: 'Budget',
    labels: 'tenant="acme",period="2026-11"',
    severity: 'info',
    summary: '50 % of the soft monthly budget of tenant acme is spent',
    details:
      '$25.00 of $50.00 (50 %) in 2026-11; it begins anew at 2026-12-01 00:00 UTC. See what it goes for: GET /api/costs?tenant=acme&by=day,model,key.',
    atMs: Date.parse('2026-11-21T12:00:00Z'),
  })
})

it.each([
  [80, false, 'info', '80 % of the soft monthly budget of tenant acme is spent', 'Nothing is refused.'],
  [80, true, 'info', '80 % of the hard monthly budget of tenant acme is spent', 'Requests will be refused.'],
  [100, false, 'info', 'The soft monthly budget of tenant acme is spent', 'Nothing is refused.'],
  [
    100,
    true,
    'warning',
    'The hard monthly budget of tenant acme is used up: requests are refused',
    'Raise it: npm run budgets -- set --tenant acme --period month --limit USD',
  ],
] as const)('%s %%, hard: %s, is %s for every channel', (percent, isHard, severity, summary, tip) => {
  const notice = budgetNotice(news({ percent, isHard }))
  expect(notice).toMatchObject({ severity, summary, details: expect.stringContaining(tip) })
  expect(budgetChannels(news({ percent }))).toEqual(['slack', 'pagerduty', 'email'])
})

it('names the key whose budget it is, and the least of sums', () => {
  const { summary, details, labels } = budgetNotice(
    news({
      keyId: KEY,
      period: 'day',
      periodName: '2026-11-21',
      percent: 100,
      isHard: true,
      limitNanoUsd: 5_000,
      spentNanoUsd: 4_999,
    }),
  )
  expect(summary).toBe(`The hard daily budget of key ${KEY} of tenant acme is used up: requests are refused`)
  expect(details).toMatch(/^\$0\.000004999 of \$0\.000005 \(99\.9 %\) in 2026-11-21;/)
  expect(details).toContain(`--period day --key ${KEY} --limit USD`)
  expect(labels).toBe(`tenant="acme",key="${KEY}",period="2026-11-21"`)
})

it('reads well where the account does not know the name yet', () => {
  const { summary, details, labels } = budgetNotice(news({ tenant: '', percent: 80 }))
  expect(summary).toBe('80 % of the soft monthly budget of a tenant is spent')
  expect(details).toContain('--tenant NAME --period month')
  expect(labels).toBe('period="2026-11"')
})

it('has an id that fits where services take at most 255 characters, whatever the gateway is called', () => {
  const id = `${'0'.repeat(64)} ${KEY} 2026-11-21 100 1000000`
  expect(`${'g'.repeat(80)} budget ${budgetNotice(news({ id })).id}`.length).toBeLessThanOrEqual(255)
})
