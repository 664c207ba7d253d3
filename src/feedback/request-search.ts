import * as z from 'zod/mini'
import { GatewayError } from '../core/errors.ts'
import { judge, tipIn } from '../core/schema.ts'
import { givenTime } from './listing.ts'
import { UUID_V7 } from './prediction-id.ts'

const OUTCOMES = ['success', 'client_error', 'error', 'cancelled'] as const
const CACHE_RESULTS = ['hit', 'miss', 'bypass', 'none'] as const

/** Which requests are looked for. What is undefined is not asked about. */
export interface RequestQuery {
  /** Arrived at or after, and before; milliseconds since the epoch. */
  readonly fromMs: number | undefined
  readonly toMs: number | undefined
  /** What answered: `openai:gpt-4o`, or without its provider. */
  readonly model: string | undefined
  readonly outcome: (typeof OUTCOMES)[number] | undefined
  readonly cache: (typeof CACHE_RESULTS)[number] | undefined
  readonly task: string | undefined
  /** US dollars, at least. */
  readonly minCostUsd: number | undefined
  readonly limit: number
  /** The last id of the page before. */
  readonly cursor: string | undefined
}

const DEFAULT_LIMIT = 20
const MAX_COST_USD = 1_000_000

const schema = z.strictObject({
  from: z.optional(givenTime),
  to: z.optional(givenTime),
  // Quotes and backslashes would have to be escaped in a list of values; no model has them in its name.
  model: z.optional(z.string().check(z.regex(/^[^"\\\p{C}]{1,200}$/u))),
  outcome: z.optional(z.enum(OUTCOMES)),
  cache: z.optional(z.enum(CACHE_RESULTS)),
  task: z.optional(z.string().check(z.regex(/^[\w.:-]{1,64}$/))),
  min_cost: z.optional(
    z.string().check(
      z.regex(/^\d{1,7}(?:\.\d{1,12})?$/),
      z.refine((text) => Number(text) <= MAX_COST_USD),
    ),
  ),
  limit: z.optional(z.string().check(z.regex(/^(?:[1-9]|[1-9]\d|100)$/))),
  cursor: z.optional(z.string().check(z.regex(UUID_V7))),
})

/** @throws GatewayError `invalid_request`, with the parameter at fault */
export function readRequestQuery(parameters: Readonly<Record<string, string>>): RequestQuery {
  const given = judge(schema, parameters, tipFor)
  const fromMs = given.from === undefined ? undefined : Date.parse(given.from)
  const toMs = given.to === undefined ? undefined : Date.parse(given.to)
  if (fromMs !== undefined && toMs !== undefined && fromMs >= toMs)
    throw new GatewayError('invalid_request', '"from" does not lie before "to".', tipFor('from'), {
      param: 'from',
    })
  return {
    fromMs,
    toMs,
    model: given.model,
    outcome: given.outcome,
    cache: given.cache,
    task: given.task,
    minCostUsd: given.min_cost === undefined ? undefined : Number(given.min_cost),
    limit: given.limit === undefined ? DEFAULT_LIMIT : Number(given.limit),
    cursor: given.cursor?.toLowerCase(),
  }
}

/** The id of a request, as the answer's header told it. @throws GatewayError `invalid_request` */
export function readRequestId(text: string): string {
  if (UUID_V7.test(text)) return text.toLowerCase()
  throw new GatewayError(
    'invalid_request',
    'This is not the id of a request.',
    'Send the value of the header x-beast-prediction, or an id from GET /api/requests.',
    { param: 'id' },
  )
}

const TIPS: Readonly<Record<string, string>> = {
  from: 'Use a time such as 2026-11-21 or 2026-11-21T08:00:00Z, before "to".',
  to: 'Use a time such as 2026-11-21 or 2026-11-21T08:00:00Z.',
  model: 'Use a model as GET /api/models lists it, such as openai:gpt-4o, or its name without the provider.',
  outcome: `Use one of ${OUTCOMES.join(', ')}.`,
  cache: `Use one of ${CACHE_RESULTS.join(', ')}.`,
  task: 'Use a task as requests have it, such as chat or code_generation.',
  min_cost: `Use US dollars from 0 to ${MAX_COST_USD}, such as 0.05.`,
  limit: 'Use a whole number from 1 to 100.',
  cursor: 'Send "next_cursor" of the page before as it came, with the same filters.',
}

function tipFor(param: string): string {
  const tip = tipIn(TIPS, param)
  return tip ?? `Leave out "${param}"; the filters are ${Object.keys(TIPS).join(', ')}.`
}
