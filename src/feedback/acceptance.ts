import { type ErrorBody, GatewayError, toGatewayError } from '../core/errors.ts'
import { isObject } from '../core/json.ts'
import { type FeedbackRow, type Receipt, readRating, receiptOf, toRow } from './feedback.ts'
import type { Outbox } from './outbox.ts'
import { RatingLimit } from './rating-limit.ts'
import { Stamps } from './stamps.ts'
import type { Grant } from './token.ts'

/** Who rates: a key, or a token that allows one prediction only. */
export interface Rater {
  readonly tenantId: string
  /** By what its ratings are counted. */
  readonly name: string
  readonly grant?: Grant
}

export interface BatchAnswer {
  readonly accepted: readonly (Receipt & { readonly index: number })[]
  readonly refused: readonly (Pick<ErrorBody['error'], 'code' | 'message' | 'param' | 'tip'> & {
    readonly index: number
  })[]
}

const MAX_ITEMS = 100

/** Takes ratings in: judges each, and acknowledges what lies in durable storage. */
export class FeedbackDesk {
  readonly #now: () => number
  readonly #outbox: Outbox
  readonly #accepted: ((row: FeedbackRow) => void) | undefined
  readonly #limit = new RatingLimit()
  readonly #stamps: Stamps

  /** @param accepted is told of each rating that lies in durable storage */
  constructor(now: () => number, outbox: Outbox, accepted?: (row: FeedbackRow) => void) {
    this.#now = now
    this.#outbox = outbox
    this.#accepted = accepted
    this.#stamps = new Stamps(now)
  }

  /** @throws GatewayError `invalid_feedback`, `too_many_ratings`, `store_unavailable` */
  async accept(rater: Rater, body: unknown): Promise<Receipt> {
    const row = await this.#judge(rater, body)
    await this.#store(rater, [row])
    return receiptOf(row)
  }

  /**
   * Each item by itself; what is accepted is stored in one.
   * @throws GatewayError `invalid_feedback` when it is no batch, `store_unavailable`, and that of the first item
   * when none was accepted
   */
  async acceptBatch(rater: Rater, body: unknown): Promise<BatchAnswer> {
    const rows: { readonly index: number; readonly row: FeedbackRow }[] = []
    const refused: { readonly index: number; readonly error: GatewayError }[] = []
    for (const [index, item] of itemsOf(body).entries()) {
      try {
        rows.push({ index, row: await this.#judge(rater, item) })
      } catch (thrown) {
        refused.push({ index, error: toGatewayError(thrown) })
      }
    }
    const [first] = refused
    if (rows.length === 0 && first) throw noneOf(first.index, first.error)
    await this.#store(
      rater,
      rows.map(({ row }) => row),
    )
    return {
      accepted: rows.map(({ index, row }) => ({ index, ...receiptOf(row) })),
      refused: refused.map(({ index, error: { code, message, param = null, tip } }) => ({
        index,
        code,
        message,
        param,
        tip,
      })),
    }
  }

  async #judge({ tenantId, name, grant }: Rater, body: unknown): Promise<FeedbackRow> {
    const now = this.#now()
    const rating = readRating(body, now)
    if (grant && rating.prediction_id !== grant.predictionId) throw beyondToken('prediction_id')
    if (grant && rating.source !== grant.source) throw beyondToken('source')
    this.#limit.take(tenantId, name, rating, now)
    return toRow(tenantId, rating, this.#stamps.next())
  }

  async #store({ tenantId }: Rater, rows: readonly FeedbackRow[]): Promise<void> {
    // The same rating twice in a batch is one.
    const once = new Map(rows.map((row) => [row.id, row]))
    try {
      await this.#outbox.add(
        tenantId,
        [...once.values()].map((row) => ({ kind: 'feedback', row })),
      )
    } catch (cause) {
      throw new GatewayError(
        'store_unavailable',
        'The rating could not be stored, so it is not acknowledged.',
        'Send it again after the time given in Retry-After; with an "id" of yours it surely counts once.',
        { cause, retryAfterSeconds: 5 },
      )
    }
    for (const row of once.values()) this.#accepted?.(row)
  }
}

function itemsOf(body: unknown): readonly unknown[] {
  const items = isObject(body) && Object.keys(body).length === 1 ? body.items : undefined
  if (Array.isArray(items) && items.length >= 1 && items.length <= MAX_ITEMS) return items
  throw new GatewayError(
    'invalid_feedback',
    `The field "items" must be a list of 1 to ${MAX_ITEMS} ratings, and the only field.`,
    'Send {"items":[{"prediction_id":"...","source":"user","thumbs":"up"}]}.',
    { param: 'items' },
  )
}

const noneOf = (index: number, { code, message, tip, param, retryAfterSeconds }: GatewayError) =>
  new GatewayError(code, `No rating was accepted. The first one refused: ${message}`, tip, {
    param: param === undefined ? `items[${index}]` : `items[${index}].${param}`,
    retryAfterSeconds,
  })

const beyondToken = (param: string) =>
  new GatewayError(
    'invalid_feedback',
    'This feedback token does not allow that.',
    'A token rates the one prediction that it was made for, with "source": "user".',
    { param },
  )
