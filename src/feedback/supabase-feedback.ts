import type { SupabaseClient } from '@supabase/supabase-js'
import * as z from 'zod/mini'
import { SOURCES } from './feedback.ts'
import {
  cursorAfter,
  type FeedbackPage,
  type FeedbackQuery,
  type FeedbackReader,
  type FeedbackStatus,
} from './listing.ts'

/** How long a rating waits for its prediction; the database joins none after that. */
const WAIT_MS = 24 * 60 * 60_000

const COLUMNS =
  'prediction_id, source, thumbs, rating, outcome, correction, tags, received_at, amended_at, revisions, stored_at, matched_at, model, provider'

const text = z.nullable(z.string())
/** PostgREST writes times as ISO 8601, the embedded database as Postgres does: to callers both are the first. */
export const storedTime = z.pipe(
  z.string().check(z.regex(/^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?\+00(:00)?$/)),
  z.transform((written) => `${written.replace(' ', 'T').slice(0, written.indexOf('+'))}Z`),
)
const row = z.object({
  prediction_id: z.string(),
  source: z.enum(SOURCES),
  thumbs: z.nullable(z.enum(['up', 'down'])),
  rating: z.nullable(z.number()),
  outcome: z.nullable(z.number()),
  correction: text,
  tags: z.array(z.string()),
  received_at: storedTime,
  amended_at: z.nullable(storedTime),
  revisions: z.number(),
  stored_at: storedTime,
  matched_at: z.nullable(storedTime),
  model: text,
  provider: text,
})

/** Ratings in Supabase. Every query names the tenant. */
export class SupabaseFeedback implements FeedbackReader {
  readonly #connect: () => SupabaseClient
  readonly #now: () => number

  constructor(connect: () => SupabaseClient, now: () => number) {
    this.#connect = connect
    this.#now = now
  }

  async list(tenantId: string, query: FeedbackQuery): Promise<FeedbackPage> {
    const waitingSince = new Date(this.#now() - WAIT_MS).toISOString()
    const { predictionId, source, status, from, to, limit, cursor } = query
    let asked = this.#connect().from('quality_feedback').select(COLUMNS).eq('tenant_id', tenantId)
    if (predictionId !== undefined) asked = asked.eq('prediction_id', predictionId)
    if (source !== undefined) asked = asked.eq('source', source)
    if (from !== undefined) asked = asked.gte('received_at', from)
    if (to !== undefined) asked = asked.lt('received_at', to)
    if (status === 'matched') asked = asked.not('matched_at', 'is', null)
    if (status === 'pending') asked = asked.is('matched_at', null).gt('stored_at', waitingSince)
    if (status === 'unmatched') asked = asked.is('matched_at', null).lte('stored_at', waitingSince)
    if (cursor) asked = asked.lte('received_at', cursor.receivedAt)
    const first = cursor?.skip ?? 0
    const { data } = await asked
      .order('received_at', { ascending: false })
      .order('prediction_id')
      .order('source')
      .range(first, first + limit - 1)
      .throwOnError()
    const rows = z.array(row).parse(data)
    return {
      data: rows.map(({ stored_at, ...rating }) => ({
        ...rating,
        status: statusOf(rating.matched_at, Date.parse(stored_at), Date.parse(waitingSince)),
      })),
      next_cursor: cursorAfter(rows, query),
    }
  }
}

function statusOf(matchedAt: string | null, storedAtMs: number, waitingSinceMs: number): FeedbackStatus {
  if (matchedAt !== null) return 'matched'
  return storedAtMs > waitingSinceMs ? 'pending' : 'unmatched'
}
