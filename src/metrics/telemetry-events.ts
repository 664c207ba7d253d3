import * as z from 'zod/mini'
import { judge, tipIn } from '../core/schema.ts'
import { QUALITY } from './families/quality.ts'
import { ENDED, MODES } from './families/values.ts'

/** So many events come in one request at most. */
export const MAX_EVENTS = 500
const MAX_NAME = 128
const MAX_TOKENS = 100_000_000

const name = z.string().check(z.minLength(1), z.maxLength(MAX_NAME))
const tokens = z.int().check(z.gte(0), z.lte(MAX_TOKENS))
const mode = z.optional(z.enum(MODES))
const outcome = z.enum(ENDED)

const event = z.discriminatedUnion('type', [
  /** A call to a model that did not go through this gateway. */
  z.strictObject({
    type: z.literal('llm_call'),
    model: name,
    input_tokens: tokens,
    output_tokens: tokens,
    /** Whether the answer was had already, and nothing was asked. */
    cached: z.optional(z.boolean()),
  }),
  z.strictObject({ type: z.literal('tool'), tool: name, outcome }),
  z.strictObject({ type: z.literal('rag'), source: name, outcome }),
  z.strictObject({ type: z.literal('agent'), agent: name, outcome }),
  /** `running` is to be said again within 15 minutes, or the workflow counts as ended. */
  z.strictObject({
    type: z.literal('workflow'),
    id: name,
    mode,
    state: z.enum(['running', 'ended']),
  }),
  z.strictObject({
    type: z.literal('quality'),
    mode,
    score: z.number().check(z.gte(0), z.lte(1)),
  }),
  /** An answer that was less than what was asked for, and why. */
  z.strictObject({
    type: z.literal('degradation'),
    mode,
    reasons: z
      .array(z.enum(QUALITY.degradations_total.labels.reason))
      .check(z.minLength(1), z.maxLength(QUALITY.degradations_total.labels.reason.length)),
  }),
  z.strictObject({ type: z.literal('warning'), warning: z.enum(QUALITY.warnings_total.labels.type) }),
])

const batch = z.strictObject({
  events: z.array(event).check(z.minLength(1), z.maxLength(MAX_EVENTS)),
})

/** What an application tells of its own work. */
export type TelemetryEvent = z.infer<typeof event>

const TIPS = {
  events: `Send {"events": [...]} with 1 to ${MAX_EVENTS} of them.`,
}

/** @throws GatewayError `invalid_request` for the first event in doubt; then none is counted */
export const readEvents = (body: unknown): readonly TelemetryEvent[] =>
  judge(batch, body, (param) => tipIn(TIPS, param) ?? 'docs/monitoring.md has each event with its fields.')
    .events
