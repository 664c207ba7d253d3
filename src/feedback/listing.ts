import * as z from 'zod/mini'
import { fromBase64Url, fromUtf8, toBase64Url, utf8 } from '../core/bytes.ts'
import { GatewayError } from '../core/errors.ts'
import { judge, tipIn } from '../core/schema.ts'
import { type FeedbackRow, SOURCES, type Source } from './feedback.ts'
import { UUID_V7 } from './prediction-id.ts'

/**
 * `matched`: it counts. `pending`: its prediction has not been seen yet. `unmatched`: nor was it within a day, so it
 * never counts; a prediction of another tenant looks the same.
 */
export const STATUSES = ['matched', 'pending', 'unmatched'] as const
export type FeedbackStatus = (typeof STATUSES)[number]

/** What counts of one source's ratings of one prediction, as its tenant reads it. */
export interface ListedFeedback extends Omit<FeedbackRow, 'id' | 'tenant_id'> {
  readonly status: FeedbackStatus
  readonly amended_at: string | null
  readonly revisions: number
  readonly matched_at: string | null
  readonly model: string | null
  readonly provider: string | null
}

/** Where the next page begins: after so many of those received at that time. */
export interface Cursor {
  readonly receivedAt: string
  readonly skip: number
}

export interface FeedbackQuery {
  readonly predictionId: string | undefined
  readonly source: Source | undefined
  readonly status: FeedbackStatus | undefined
  /** Received at or after, and before; ISO 8601. */
  readonly from: string | undefined
  readonly to: string | undefined
  readonly limit: number
  readonly cursor: Cursor | undefined
}

export interface FeedbackPage {
  readonly data: readonly ListedFeedback[]
  readonly next_cursor: string | null
}

/** What can be asked of the ratings that are stored. Sees one tenant's only. */
export interface FeedbackReader {
  list(tenantId: string, query: FeedbackQuery): Promise<FeedbackPage>
}

const DEFAULT_LIMIT = 20
const TIME = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d))?$/

/** A time as callers give it. */
export const givenTime = z.string().check(
  z.regex(TIME),
  z.refine((text) => Number.isFinite(Date.parse(text))),
)
const schema = z.strictObject({
  prediction_id: z.optional(z.string().check(z.regex(UUID_V7))),
  source: z.optional(z.enum(SOURCES)),
  status: z.optional(z.enum(STATUSES)),
  from: z.optional(givenTime),
  to: z.optional(givenTime),
  // One page may hold as many corrections of 256 kB.
  limit: z.optional(z.string().check(z.regex(/^(?:[1-9]|[1-4]\d|50)$/))),
  cursor: z.optional(z.string().check(z.regex(/^[\w-]{1,200}$/))),
})
const position = z.tuple([givenTime, z.int().check(z.gte(1), z.lte(100_000))])

/** @throws GatewayError `invalid_request`, with the parameter at fault */
export function readQuery(parameters: Readonly<Record<string, string>>): FeedbackQuery {
  const given = judge(schema, parameters, tipFor)
  return {
    predictionId: given.prediction_id?.toLowerCase(),
    source: given.source,
    status: given.status,
    from: given.from,
    to: given.to,
    limit: given.limit === undefined ? DEFAULT_LIMIT : Number(given.limit),
    cursor: given.cursor === undefined ? undefined : readCursor(given.cursor),
  }
}

/** The cursor after a full page; null where there is no more. @param page newest first */
export function cursorAfter(
  page: readonly { readonly received_at: string }[],
  { limit, cursor }: FeedbackQuery,
): string | null {
  const last = page.at(-1)
  if (!last || page.length < limit) return null
  const same = page.filter((row) => row.received_at === last.received_at).length
  const before = cursor?.receivedAt === last.received_at ? cursor.skip : 0
  return toBase64Url(utf8(JSON.stringify([last.received_at, before + same])))
}

function readCursor(text: string): Cursor {
  let value: unknown
  try {
    value = JSON.parse(fromUtf8(fromBase64Url(text)))
  } catch {
    // Judged below like any other text that is no cursor.
  }
  const { success, data } = position.safeParse(value)
  if (success) return { receivedAt: data[0], skip: data[1] }
  throw new GatewayError('invalid_request', 'The cursor is not valid.', tipFor('cursor'), { param: 'cursor' })
}

const TIPS: Readonly<Record<string, string>> = {
  prediction_id: 'Send the value of the header x-beast-prediction.',
  source: `Use one of ${SOURCES.join(', ')}.`,
  status: `Use one of ${STATUSES.join(', ')}.`,
  from: 'Use a time such as 2026-11-21 or 2026-11-21T08:00:00Z.',
  to: 'Use a time such as 2026-11-21 or 2026-11-21T08:00:00Z.',
  limit: 'Use a whole number from 1 to 50.',
  cursor: 'Send "next_cursor" of the page before as it came, with the same filters.',
}

function tipFor(param: string): string {
  const tip = tipIn(TIPS, param)
  return tip ?? `Leave out "${param}"; the filters are ${Object.keys(TIPS).join(', ')}.`
}
