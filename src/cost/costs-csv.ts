import { type CostLine, type Costs, totalsOf } from './costs.ts'

const COLUMNS = [
  'requests',
  'calls',
  'cost_usd',
  'unpriced_calls',
  'estimated_calls',
  'input_tokens',
  'output_tokens',
  'cache_hits',
  'saved_by_cache_usd',
] as const

/**
 * As RFC 4180 has it: a line for the total, then one for each value of each dimension.
 * @param dimensions in the order in which they were asked for
 */
export function costCsv(costs: Costs, dimensions: readonly string[]): string {
  const lines = [
    ['dimension', 'value', 'others', ...COLUMNS],
    rowOf('total', { ...totalsOf(costs), value: null, others: 0 }),
  ]
  for (const dimension of dimensions)
    for (const line of costs.sums[dimension] ?? []) lines.push(rowOf(dimension, line))
  return lines.map((cells) => `${cells.join(',')}\r\n`).join('')
}

const rowOf = (dimension: string, line: CostLine): string[] => [
  textCell(dimension),
  textCell(line.value ?? ''),
  String(line.others),
  ...COLUMNS.map((column) => String(line[column])),
]

/** Spreadsheets run what begins so; names of models and tags are a caller's own. */
const FORMULA = /^[=+\-@\t\r]/

export function textCell(text: string): string {
  const harmless = FORMULA.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless
}
