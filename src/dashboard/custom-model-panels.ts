import { over, type Panel, panel, rise, speed, speedOf, sum, sumBy, top10 } from '../metrics/panels-parts.ts'

/** What the label `provider` says of models that tenants brought. */
const CUSTOM = { provider: 'custom' } as const

const slowest = speedOf('upstream_duration_seconds', 'bucket').replace('{', '{provider="custom",')

/** How the models do that tenants brought themselves. */
export const CUSTOM_MODEL_PANELS: readonly Panel[] = [
  panel(
    'Coverage',
    'Requests that custom models answered, as a part of all.',
    over(sum(speed('requests_total', CUSTOM)), sum(speed('requests_total'))),
    { unit: 'percentunit' },
  ),
  panel(
    'Requests by model',
    'What each custom model is asked.',
    sumBy('model', speed('requests_total', CUSTOM)),
    {
      unit: 'reqps',
    },
  ),
  panel(
    'Error rate',
    "Of requests to custom models, the part that failed by the model's or the gateway's fault. The line is HighErrorRate's.",
    over(sum(speed('requests_total', { ...CUSTOM, outcome: 'error' })), sum(speed('requests_total', CUSTOM))),
    { unit: 'percentunit', line: 0.05 },
  ),
  panel(
    'Errors by type',
    'Errors of requests to custom models, by their code.',
    sumBy('type', speed('request_errors_total', CUSTOM)),
    { unit: 'ops' },
  ),
  panel(
    'Health',
    'Requests answered by each custom model, among those whose client stayed.',
    over(
      sumBy('model', speed('requests_total', { ...CUSTOM, outcome: 'success' })),
      sumBy('model', speed('requests_total', { ...CUSTOM, outcome: { not: 'cancelled' } })),
    ),
    { kind: 'bargauge', unit: 'percentunit' },
  ),
  {
    ...panel(
      'Slowest models',
      '95 of 100 calls to the model took no longer.',
      `topk(10,histogram_quantile(0.95,sum by(le,model)(${slowest})))`,
      { kind: 'table', unit: 's' },
    ),
    by: ['model'],
  },
  panel(
    'Saved by routing',
    'What cheaper models than the one asked for saved in the time shown.',
    sum(rise('cost_saved_usd_total', { reason: 'routing' })),
    { kind: 'stat', unit: 'currencyUSD' },
  ),
  panel(
    'Spent on custom models',
    'In the time shown, at the price that each model was given.',
    top10(sumBy('model', rise('cost_usd_total', CUSTOM))),
    { kind: 'table', unit: 'currencyUSD' },
  ),
  panel(
    'Passed on',
    'Requests that one model could not answer and the next one took, in the time shown.',
    top10(sumBy('from,to', rise('fallbacks_total'))),
    { kind: 'table' },
  ),
]
