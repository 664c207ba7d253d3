import * as z from 'zod/mini'
import { utf8 } from '../core/bytes.ts'
import { GatewayError } from '../core/errors.ts'
import { uuidv7, uuidv8 } from '../core/ids.ts'
import { judge, tipIn } from '../core/schema.ts'
import { predictionIdProblem, UUID, UUID_V7 } from './prediction-id.ts'

/** Who rates: a person, a program that checked the outcome, or a model that was asked to judge. */
export const SOURCES = ['user', 'bot', 'auto-prompt'] as const
export type Source = (typeof SOURCES)[number]

/** A row of `quality_feedback_history`: one rating as it came. */
export interface FeedbackRow {
  readonly id: string
  readonly tenant_id: string
  readonly prediction_id: string
  readonly source: Source
  readonly thumbs: 'up' | 'down' | null
  readonly rating: number | null
  readonly outcome: number | null
  readonly correction: string | null
  readonly tags: readonly string[] | null
  /** ISO 8601 in microseconds: of two ratings the later one counts. */
  readonly received_at: string
}

/** What a caller gets for a rating: it lies in durable storage. Whether it finds its prediction shows later. */
export interface Receipt {
  readonly id: string
  readonly prediction_id: string
  readonly source: Source
  readonly received_at: string
  readonly status: 'accepted'
}

const MAX_OUTCOME = 1e9
const MAX_CORRECTION_BYTES = 262_144
const MAX_TAGS = 20

/** Text that Postgres keeps as it is. */
const correction = z.string().check(
  z.minLength(1),
  z.maxLength(MAX_CORRECTION_BYTES),
  z.refine(
    (text) => text.isWellFormed() && !text.includes('\0') && utf8(text).length <= MAX_CORRECTION_BYTES,
  ),
)
// All of them together fit the bound of the table, 1,280 bytes.
const tags = z
  .array(z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}$/)))
  .check(z.maxLength(MAX_TAGS))

const schema = z.strictObject({
  /** The caller's own name for this rating: sent again, it is the same one. */
  id: z.optional(z.string().check(z.regex(UUID))),
  prediction_id: z.string().check(z.regex(UUID_V7)),
  source: z.enum(SOURCES),
  thumbs: z.optional(z.enum(['up', 'down'])),
  rating: z.optional(z.int().check(z.gte(1), z.lte(5))),
  outcome: z.optional(z.number().check(z.gte(-MAX_OUTCOME), z.lte(MAX_OUTCOME))),
  correction: z.optional(correction),
  tags: z.optional(tags),
})

/** One rating, judged. */
export type Rating = z.infer<typeof schema>

/**
 * Judges a rating.
 * @throws GatewayError `invalid_feedback`, with the field at fault
 */
export function readRating(body: unknown, nowMs: number): Rating {
  const given = judge(schema, body, tipFor, 'invalid_feedback')
  const predictionId = given.prediction_id.toLowerCase()
  const problem = predictionIdProblem(predictionId, nowMs)
  if (problem) throw invalid(problem, 'prediction_id')
  const { thumbs, rating, outcome, correction, tags } = given
  const holdsValue = [thumbs, rating, outcome, correction, tags?.[0]].some((value) => value !== undefined)
  if (!holdsValue) throw invalid('The rating holds no value.', '')
  return {
    ...given,
    prediction_id: predictionId,
    // There is one zero in the record.
    ...(outcome === 0 && { outcome: 0 }),
    ...(tags && { tags: [...new Set(tags)] }),
  }
}

/**
 * The row of a rating. With an `id` of the caller's its own id is made of that and of everything said, by this
 * tenant: a repeat is the same row, other content under the same id is a row of its own, and no tenant can take an
 * id from another.
 */
export async function toRow(tenantId: string, rating: Rating, receivedAt: string): Promise<FeedbackRow> {
  const { id, prediction_id, source, thumbs, rating: stars, outcome, correction, tags } = rating
  const values = [thumbs ?? null, stars ?? null, outcome ?? null, correction ?? null, tags ?? null] as const
  const named = () => digest(JSON.stringify([tenantId, id?.toLowerCase(), prediction_id, source, values]))
  return {
    id: id === undefined ? uuidv7(Date.parse(receivedAt)) : uuidv8(await named()),
    tenant_id: tenantId,
    prediction_id,
    source,
    thumbs: values[0],
    rating: values[1],
    outcome: values[2],
    correction: values[3],
    tags: values[4],
    received_at: receivedAt,
  }
}

export function receiptOf({ id, prediction_id, source, received_at }: FeedbackRow): Receipt {
  return { id, prediction_id, source, received_at, status: 'accepted' }
}

const digest = async (text: string): Promise<Uint8Array> =>
  new Uint8Array(await crypto.subtle.digest('SHA-256', utf8(text)))

const TIPS: Readonly<Record<string, string>> = {
  '': 'Send at least one of thumbs, rating, outcome, correction and tags; docs/feedback.md lists the fields.',
  id: 'Send a UUID of your own, or leave it out.',
  prediction_id: 'Send the value of the header x-beast-prediction as it came with the answer.',
  source: `Use one of ${SOURCES.join(', ')}.`,
  thumbs: 'Use "up" or "down".',
  rating: 'Use a whole number from 1 to 5.',
  outcome: 'Use a number between -1000000000 and 1000000000.',
  correction: 'Send the better answer as 1 to 262144 bytes of text, without NUL.',
  tags: `Send at most ${MAX_TAGS} tags.`,
}

const TAG_TIP = 'Use 1 to 64 letters, digits, "_", ".", ":", "/" or "-", beginning with a letter or digit.'

function tipFor(param: string): string {
  if (param.startsWith('tags[')) return TAG_TIP
  const tip = tipIn(TIPS, param)
  return tip ?? `Leave out "${param}"; docs/feedback.md lists the fields.`
}

const invalid = (message: string, param: string): GatewayError =>
  new GatewayError('invalid_feedback', message, tipFor(param), { param: param || undefined })
