import { parseArgs } from 'node:util'
import { STRATEGIES, type StrategyName } from '../src/warming/plan.ts'
import { comparison } from './replay/comparison.ts'
import { type ReplayReport, replay } from './replay/replay.ts'
import { table } from './stack/operator.ts'
import { runCommand } from './stack/operator-error.ts'
import { traceFile } from './traces/file.ts'
import { TRACES } from './traces/index.ts'

const NAMES = Object.keys(STRATEGIES) as StrategyName[]
const USAGE = `usage: npm run replay -- [--trace NAME|FILE] [--seed N]     all ways of warming, beside one another
       npm run replay -- --trace NAME|FILE --warm WAY       one of them
traces: ${Object.keys(TRACES).join(', ')} (steady unless given), or a file of JSON lines {"atMs", "prompt"}
ways:   ${NAMES.join(', ')}
options: --json (one way: forecast unless given), --compare (all of them, also with --json),
         --budget CALLS (warm calls a day for each tenant, 150 unless given), --seed N (1 unless given),
         --warm-up HOURS (of a file: what is not counted, 0 unless given)`

await runCommand(main)

async function main(): Promise<void> {
  const { trace: name, ways, seed, budget, warmUpHours, json } = readArguments()
  const trace = isTrace(name) ? TRACES[name](seed) : traceFile(name, warmUpHours)
  const reports: [StrategyName, ReplayReport][] = []
  for (const warm of ways) reports.push([warm, await replay(trace, { warm, budget, seed })])
  const [only] = reports
  if (!json) console.log(said(name, seed, budget, reports))
  else if (ways.length === 1 && only)
    console.log(JSON.stringify({ trace: name, seed, warm: only[0], ...only[1] }))
  else console.log(JSON.stringify({ trace: name, seed, budget, ...Object.fromEntries(reports) }))
}

function said(
  name: string,
  seed: number,
  budget: number,
  reports: readonly (readonly [StrategyName, ReplayReport])[],
): string {
  const { headings, rows, notes } = comparison(reports)
  const title = `${name}, seed ${seed}, at most ${budget} warm calls a day for each tenant`
  return [title, '', table(headings, rows), ...(notes.length > 0 ? ['', ...notes] : [])].join('\n')
}

function readArguments() {
  const values = parsed()
  const { warm, trace = 'steady', json = false, compare = false } = values
  if (warm !== undefined && !isWay(warm)) usage()
  const one = warm ?? (json ? 'forecast' : undefined)
  return {
    trace,
    json,
    ways: compare || one === undefined ? NAMES : [one],
    seed: amount(values.seed, 1),
    budget: amount(values.budget, 150),
    warmUpHours: amount(values['warm-up'], 0),
  }
}

function parsed() {
  try {
    const options = {
      trace: { type: 'string' },
      seed: { type: 'string' },
      warm: { type: 'string' },
      budget: { type: 'string' },
      'warm-up': { type: 'string' },
      compare: { type: 'boolean' },
      json: { type: 'boolean' },
    } as const
    return parseArgs({ options }).values
  } catch {
    return usage()
  }
}

function amount(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  return /^\d{1,9}$/.test(text) ? Number(text) : usage()
}

function usage(): never {
  console.error(USAGE)
  process.exit(2)
}

function isWay(name: string): name is StrategyName {
  return Object.hasOwn(STRATEGIES, name)
}

function isTrace(name: string): name is keyof typeof TRACES {
  return Object.hasOwn(TRACES, name)
}
