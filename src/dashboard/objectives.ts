import { PREFIX } from '../metrics/catalogue.ts'
import { evaluate, type Filter } from './evaluate.ts'
import { type Expr, parsePromql } from './promql.ts'
import type { Timeline } from './timeline.ts'

/** What was promised, and how to tell whether it is kept. */
export interface Objective {
  readonly code: string
  readonly title: string
  readonly description: string
  /** The part of requests for which it must hold. */
  readonly target: number
  /** What counts, and of it what breaks the promise; `WINDOW` stands for the time. */
  readonly all: string
  readonly bad: string
}

const grown = (name: string, matchers = ''): string => `sum(increase(${PREFIX}${name}${matchers}[WINDOW]))`
const slower = (family: string, le: number): string =>
  `${grown(`${family}_count`)} - ${grown(`${family}_bucket`, `{le="${le}"}`)}`

export const OBJECTIVES: readonly Objective[] = [
  {
    code: 'availability',
    title: 'Requests answered',
    description: "Requests that do not fail by the gateway's or its upstream's fault.",
    target: 0.999,
    all: grown('requests_total', '{outcome!="cancelled"}'),
    bad: grown('requests_total', '{outcome="error"}'),
  },
  {
    code: 'latency',
    title: 'Answered within 10 s',
    description: 'Requests whose answer was whole within ten seconds.',
    target: 0.95,
    all: grown('request_duration_seconds_count'),
    bad: slower('request_duration_seconds', 10),
  },
  {
    code: 'overhead',
    title: 'Gateway adds less than 50 ms',
    description: 'Requests of which the gateway itself took less than 50 ms.',
    target: 0.95,
    all: grown('gateway_overhead_seconds_count'),
    bad: slower('gateway_overhead_seconds', 0.05),
  },
  {
    code: 'cache',
    title: 'Cache answers within 10 ms',
    description: 'Operations on a tier of the cache that took less than 10 ms.',
    target: 0.95,
    all: grown('cache_operation_duration_seconds_count'),
    bad: slower('cache_operation_duration_seconds', 0.01),
  },
]

export const BURN_WINDOWS = ['5m', '1h', '3h'] as const
export type BurnWindow = (typeof BURN_WINDOWS)[number]
/** At this pace a month's budget is gone in two days: somebody should look at once. */
export const FAST_BURN = 14.4

export interface ObjectiveState {
  readonly code: string
  /** The part that was kept today; null where nothing counted yet. */
  readonly kept: number | null
  /** Of what may go wrong today, the part that is left; negative when more went wrong. */
  readonly budgetLeft: number | null
  readonly counted: number
  /** How fast the budget is used; 1: it would be gone exactly at the end. */
  readonly burn: Readonly<Record<BurnWindow, number | null>>
}

const QUERIES = new Map(
  OBJECTIVES.map(({ code, all, bad }) => {
    const at = (window: string) => ({
      all: parsePromql(all.replaceAll('WINDOW', window)),
      bad: parsePromql(bad.replaceAll('WINDOW', window)),
    })
    return [code, { day: at('$__range'), windows: BURN_WINDOWS.map((name) => [name, at(name)] as const) }]
  }),
)

/** @param today what was counted since midnight, UTC */
export const objectivesOf = (timeline: Timeline, today: Timeline, filter: Filter): ObjectiveState[] =>
  OBJECTIVES.map(({ code, target }) => {
    const queries = QUERIES.get(code)
    const day = countsOf(queries?.day, today, filter)
    const share = day.all > 0 ? day.bad / day.all : undefined
    const burn = (queries?.windows ?? []).map(([name, query]) => {
      const { all, bad } = countsOf(query, timeline, filter)
      return [name, all > 0 ? bad / all / (1 - target) : null] as const
    })
    return {
      code,
      kept: share === undefined ? null : 1 - share,
      budgetLeft: share === undefined ? null : 1 - share / (1 - target),
      counted: day.all,
      burn: Object.fromEntries(burn) as ObjectiveState['burn'],
    }
  })

function countsOf(query: { all: Expr; bad: Expr } | undefined, timeline: Timeline, filter: Filter) {
  const count = (expr: Expr | undefined): number =>
    (expr &&
      evaluate(expr, {
        timeline,
        filter,
        rangeMinutes: timeline.past.count,
        minute: undefined,
        found: new Map(),
      })[0]?.value) ||
    0
  return { all: count(query?.all), bad: Math.max(0, count(query?.bad)) }
}
