import type { BudgetNews } from '../cost/budget-thresholds.ts'
import { type NanoUsd, toUsd } from '../cost/nano-usd.ts'
import type { Notice } from './alert-notices.ts'
import type { Channel } from './alert-rules.ts'

/** Half of a budget wakes nobody. */
export const budgetChannels = ({ percent }: BudgetNews): readonly Channel[] =>
  percent === 50 ? ['slack', 'email'] : ['slack', 'pagerduty', 'email']

/** What channels are told of a budget. It names the tenant and the key's id: without them nobody could act. */
export function budgetNotice(news: BudgetNews): Notice {
  const { id, tenant, keyId, percent, isHard, periodName, resetsAtMs, atMs } = news
  return {
    kind: 'budget',
    id: `Budget ${id}`,
    rule: 'Budget',
    labels: [
      ...(tenant ? [`tenant="${tenant}"`] : []),
      ...(keyId === null ? [] : [`key="${keyId}"`]),
      `period="${periodName}"`,
    ].join(','),
    severity: isHard && percent === 100 ? 'warning' : 'info',
    summary: summaryOf(news),
    details: `${spentText(news)}; it begins anew at ${minuteOf(resetsAtMs)} UTC. ${tipOf(news)}`,
    atMs,
  }
}

function summaryOf({ tenant, keyId, period, percent, isHard }: BudgetNews): string {
  const whose = `${keyId === null ? '' : `key ${keyId} of `}${tenant ? `tenant ${tenant}` : 'a tenant'}`
  const budget = `${isHard ? 'hard' : 'soft'} ${period === 'day' ? 'daily' : 'monthly'} budget of ${whose}`
  if (percent < 100) return `${percent} % of the ${budget} is spent`
  return isHard ? `The ${budget} is used up: requests are refused` : `The ${budget} is spent`
}

const spentText = ({ spentNanoUsd, limitNanoUsd, periodName }: BudgetNews): string =>
  // Rounded down: what is not quite spent does not read 100 %.
  `${usdText(spentNanoUsd)} of ${usdText(limitNanoUsd)} (${Math.floor((spentNanoUsd / limitNanoUsd) * 1_000) / 10} %) in ${periodName}`

function tipOf({ tenant, keyId, period, percent, isHard }: BudgetNews): string {
  const of = `--tenant ${tenant || 'NAME'}`
  const set = `npm run budgets -- set ${of} --period ${period}${keyId === null ? '' : ` --key ${keyId}`} --limit USD`
  const look = `See what it goes for: GET /api/costs?tenant=${tenant || 'NAME'}&by=day,model,key.`
  if (percent === 50) return look
  if (!isHard) return `Nothing is refused. ${look} Stop it with a hard budget: ${set}.`
  if (percent === 100) return `Raise it: ${set}, or wait. ${look}`
  return `Requests will be refused. ${look} Raise it in time: ${set}.`
}

/** Of less than a dollar every digit counts. */
function usdText(nanoUsd: NanoUsd): string {
  const usd = toUsd(nanoUsd)
  return `$${usd >= 1 ? usd.toFixed(2) : usd.toFixed(9).replace(/0+$/, '').replace(/\.$/, '')}`
}

const minuteOf = (ms: number): string => new Date(ms).toISOString().slice(0, 16).replace('T', ' ')
