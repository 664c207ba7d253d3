import { over, type Panel, panel, rise, speed, speedOver, sum, sumBy, top10 } from './panels-parts.ts'

const HOUR_S = 3600
const spending = sum(speedOver('cost_usd_total', HOUR_S))
const spent = sum(rise('cost_usd_total'))
const saved = sum(rise('cost_saved_usd_total'))
const usd = { unit: 'currencyUSD' } as const

export const COST_PANELS: readonly Panel[] = [
  panel(
    'Estimated daily cost',
    "What a day costs at the pace of the last hour. The line is HighDailyCost's.",
    `${spending} * 86400`,
    { ...usd, line: 100 },
  ),
  panel(
    'Cost breakdown',
    'What the money of the time shown went to.',
    sumBy('type', rise('cost_usd_total')),
    {
      ...usd,
      kind: 'piechart',
    },
  ),
  panel(
    'LLM calls by cached',
    'Answers of models: asked for (false), or had already (true).',
    sumBy('cached', speed('llm_calls_total')),
    { unit: 'ops' },
  ),
  panel(
    'Saved via cache',
    'What the hits of the time shown would have cost.',
    sum(rise('cost_saved_usd_total', { reason: 'cache' })),
    { ...usd, kind: 'stat' },
  ),
  panel('Tokens', 'Tokens billed, a second.', sumBy('type', speed('tokens_total'))),
  panel('Tool executions', 'Runs of tools.', sumBy('tool', speed('tool_executions_total')), { unit: 'ops' }),
  panel(
    'RAG retrievals',
    'Look-ups in sources of knowledge.',
    sumBy('source', speed('rag_retrievals_total')),
    {
      unit: 'ops',
    },
  ),
  panel('Cost per mode', 'By class of request, in the time shown.', sumBy('mode', rise('cost_usd_total')), {
    ...usd,
    kind: 'table',
  }),
  panel(
    'Most expensive tenants',
    'The ten tenants that spent most in the time shown.',
    top10(sumBy('tenant', rise('tenant_cost_usd_total'))),
    { ...usd, kind: 'table' },
  ),
  panel('Cost trend per hour', 'What an hour costs at the pace of the last one.', `${spending} * 3600`, usd),
  panel(
    'Cost savings',
    'What cache and routing saved, as a part of what everything would have cost.',
    over(saved, `(${saved} + ${spent})`),
    { kind: 'gauge', unit: 'percentunit' },
  ),
]
