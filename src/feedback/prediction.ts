import { byteLength } from '../core/bytes.ts'
import type { PricedTokens, ProviderCall, ToldUsage } from '../cost/ledger.ts'
import { NO_TAGS, type Tags } from '../cost/tags.ts'

/** One recorded inference: a row of `ml_predictions`, column by column. */
export interface PredictionRow {
  /** A UUID of version 7, the same as in `x-beast-prediction`. */
  readonly id: string
  readonly tenant_id: string
  readonly key_id: string | null
  readonly request_id: string
  readonly user_hash: string | null
  /** ISO 8601, when the request arrived. */
  readonly created_at: string
  readonly route: string | null
  readonly model: string | null
  readonly provider: string | null
  readonly stream: boolean
  readonly outcome: 'success' | 'client_error' | 'error' | 'cancelled'
  readonly error_code: string | null
  readonly cache: 'hit' | 'miss' | 'bypass' | 'none'
  readonly cache_tier: string | null
  readonly cache_match: 'exact' | 'semantic' | null
  readonly cached_prediction_id: string | null
  readonly task: string | null
  readonly mode: number | null
  readonly language: string | null
  readonly input_tokens: number | null
  readonly output_tokens: number | null
  readonly tokens_estimated: boolean
  readonly cost_usd: number
  readonly saved_usd: number
  readonly total_ms: number
  readonly upstream_ms: number | null
  readonly first_byte_ms: number | null
  readonly attempts: number
  readonly predicted_quality: number | null
  readonly decision: Decision | null
  readonly features: Readonly<Record<string, boolean | number | readonly string[]>>
  readonly prompt_hash: string | null
  readonly answer_hash: string | null
  /** Absent in rows of before there were any. */
  readonly tags?: Tags
}

/** What was paid, or spared, for a request: for whoever has the prices. */
export function callsOf(
  facts: PredictionFacts & { readonly said?: string | undefined },
): readonly ProviderCall[] {
  const { attempts, sentBytes, said = '' } = facts
  const saidBytes = byteLength(said)
  return attempts.map((attempt) => ({
    route: attempt.routeId,
    provider: attempt.provider,
    model: attempt.model,
    price: attempt.price,
    endpoint: attempt.endpointId,
    result: attempt.result,
    failure: attempt.failure,
    ms: attempt.ms,
    mayBeBilled: attempt.mayBeBilled,
    usage: attempt.usage,
    sentBytes,
    saidBytes: attempt.firstByteMs === undefined ? 0 : saidBytes,
    reservedNanoUsd: attempt.reservedNanoUsd,
    ...(attempt.wasNeverSent && { wasNeverSent: true }),
  }))
}

export const savedBy = ({ origin }: PredictionFacts): PricedTokens | undefined =>
  origin && { ...origin.pricedAs, usage: origin.usage }

/** What selection has to say of its choice, as far as a row wants it. */
export interface Decision {
  readonly task: string
  readonly inputTokens: number
  readonly codeLanguage: string | null
  readonly candidates: readonly { readonly id: string }[]
}

/** What is known of a request when its row is made. A settled request's event is one. */
export interface PredictionFacts {
  readonly predictionId: string
  readonly requestId: string
  readonly outcome: PredictionRow['outcome']
  readonly errorCode: string | undefined
  readonly tenantId: string | undefined
  readonly keyId: string | undefined
  readonly routeId: string | undefined
  readonly stream: boolean
  readonly cache: PredictionRow['cache']
  readonly replayed: boolean
  readonly tier: string | undefined
  /** Keyed hashes of who asked and of what was asked. */
  readonly userHash: string | undefined
  readonly promptHash: string | undefined
  /** Of the conversation; 0 where no model was asked. */
  readonly sentBytes: number
  readonly answerHash?: string | undefined
  /** Where the answer came from that a hit repeats, or that was shared with another request. */
  readonly origin:
    | {
        readonly predictionId: string
        readonly model: string
        readonly pricedAs: PricedTokens
        readonly usage?: ToldUsage | undefined
      }
    | undefined
  readonly tags?: Tags | undefined
  readonly receivedAtMs: number
  readonly totalMs: number
  readonly upstreamMs: number | undefined
  readonly usage: { readonly inputTokens: number; readonly outputTokens: number } | undefined
  /** What the form of a whole answer tells of its quality. */
  readonly checks?: { readonly score: number } | undefined
  readonly attempts: readonly {
    readonly routeId: string
    readonly provider: string
    readonly model: string
    readonly price: PricedTokens['price']
    readonly endpointId: string
    readonly ms: number
    readonly mayBeBilled: boolean
    readonly usage: ToldUsage | undefined
    readonly startedAtMs: number
    readonly firstByteMs: number | undefined
    readonly result: ProviderCall['result']
    readonly failure: string | undefined
    readonly reservedNanoUsd?: number | undefined
    readonly wasNeverSent?: boolean | undefined
  }[]
  readonly explain: (() => Decision) | undefined
}

/** Of the column `route` and `model`. */
const MAX_NAME = 512
/** Postgres takes whole numbers up to here into an `integer`. */
const MAX_TOKENS = 2_147_483_647
const MAX_FAILURES = 8
/** Of the column `decision`, which holds 32 kB; as many as are of any use. */
const MAX_DECISION_BYTES = 30_000
/** What stands around a candidate's id, at most. */
const CANDIDATE_BYTES = 250

/**
 * @param mode that metrics count it under; 0 = not known
 * @returns undefined where it is not known whose request it was: rows belong to tenants
 */
export function toPredictionRow(facts: PredictionFacts, mode = 0): PredictionRow | undefined {
  const { tenantId, attempts, usage, receivedAtMs } = facts
  if (tenantId === undefined) return undefined
  const decision = facts.explain ? storableDecision(facts.explain()) : null
  const answered = attempts.find(({ result }) => result === 'answered')
  const isGivenAgain = facts.cache === 'hit' || facts.origin !== undefined
  const model = answered?.routeId ?? facts.origin?.model
  return {
    id: facts.predictionId,
    tenant_id: tenantId,
    key_id: facts.keyId ?? null,
    request_id: facts.requestId,
    user_hash: facts.userHash ?? null,
    created_at: new Date(receivedAtMs).toISOString(),
    route: storable(facts.routeId),
    model: storable(model),
    provider: storable(model?.split(':', 1)[0], 128),
    stream: facts.stream,
    outcome: facts.outcome,
    error_code: facts.errorCode ?? null,
    cache: facts.cache,
    cache_tier: facts.tier ?? null,
    cache_match: isGivenAgain ? 'exact' : null,
    cached_prediction_id: facts.origin?.predictionId ?? null,
    task: decision?.task ?? null,
    mode: mode || null,
    language: storable(decision?.codeLanguage, 64),
    input_tokens: tokens(usage?.inputTokens),
    output_tokens: tokens(usage?.outputTokens),
    tokens_estimated: false,
    cost_usd: 0,
    saved_usd: 0,
    total_ms: atLeastZero(facts.totalMs),
    upstream_ms: facts.upstreamMs === undefined ? null : atLeastZero(facts.upstreamMs),
    first_byte_ms:
      answered?.firstByteMs === undefined
        ? null
        : atLeastZero(answered.startedAtMs - receivedAtMs + answered.firstByteMs),
    attempts: attempts.length,
    predicted_quality: null,
    decision,
    features: features(facts, decision),
    prompt_hash: facts.promptHash ?? null,
    answer_hash: facts.answerHash ?? null,
    tags: facts.tags ?? NO_TAGS,
  }
}

/**
 * The row of a request that is about to spend, true as it stands in case nothing more is ever heard of it: its
 * worker died. `total_ms` then tells how long it was seen alive.
 */
export function toAbandonedRow(facts: PredictionFacts): PredictionRow | undefined {
  // What explains the choice costs more than all the rest, and nearly always a better row follows.
  const row = toPredictionRow({ ...facts, explain: undefined })
  return row && { ...row, outcome: 'error', error_code: 'abandoned' }
}

function features({ attempts, replayed, origin, cache, checks }: PredictionFacts, decision: Decision | null) {
  const failures = attempts.flatMap(({ failure }) => (failure === undefined ? [] : [failure]))
  return {
    ...(replayed && { replayed }),
    // A miss that waited for another one's answer.
    ...(origin && cache === 'miss' && { collapsed: true }),
    // Tokens that a hit has saved; its own are none.
    ...(origin?.usage && {
      saved_input_tokens: origin.usage.inputTokens,
      saved_output_tokens: origin.usage.outputTokens,
    }),
    // Until somebody rates it: a rating, in quality_feedback, says more.
    ...(checks && { checks_score: checks.score }),
    ...(decision && { estimated_input_tokens: decision.inputTokens }),
    ...(failures.length > 0 && { failures: failures.slice(0, MAX_FAILURES) }),
  }
}

/** Names may be a caller's or a provider's own: Postgres takes neither NUL nor half a character. */
function storable(text: string | null | undefined, maxLength = MAX_NAME): string | null {
  if (!text) return null
  return text.slice(0, maxLength).toWellFormed().replaceAll('\0', '\ufffd')
}

function storableDecision(decision: Decision): Decision {
  let bytes = 0
  const candidates: { id: string }[] = []
  for (const candidate of decision.candidates) {
    bytes += candidate.id.length * 3 + CANDIDATE_BYTES
    if (bytes > MAX_DECISION_BYTES) break
    candidates.push({ ...candidate, id: storable(candidate.id) ?? '' })
  }
  return { ...decision, candidates }
}

const atLeastZero = (ms: number): number => (ms >= 0 ? ms : 0)

const tokens = (count: number | undefined): number | null =>
  count !== undefined && Number.isInteger(count) && count >= 0 && count <= MAX_TOKENS ? count : null
