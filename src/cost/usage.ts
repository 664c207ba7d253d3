/**
 * What an answer may have used, in the words of the price table. `input_tokens` and `output_tokens` are totals: cached,
 * spoken, seen and reasoned tokens are parts of them, named beside them because they have prices of their own.
 */
export const UNITS = [
  'input_tokens',
  'input_text_tokens',
  'input_audio_tokens',
  'input_image_tokens',
  'input_video_tokens',
  'input_tool_tokens',
  'input_text_tool_tokens',
  'input_audio_tool_tokens',
  'input_image_tool_tokens',
  'input_video_tool_tokens',
  'cache_read_tokens',
  'cache_text_read_tokens',
  'cache_audio_read_tokens',
  'cache_image_read_tokens',
  'cache_video_read_tokens',
  'cache_write_tokens',
  'cache_write_5m_tokens',
  'cache_write_1h_tokens',
  'cache_text_write_tokens',
  'cache_text_write_5m_tokens',
  'cache_text_write_1h_tokens',
  'cache_audio_write_tokens',
  'cache_audio_write_5m_tokens',
  'cache_audio_write_1h_tokens',
  'cache_image_write_tokens',
  'cache_image_write_5m_tokens',
  'cache_image_write_1h_tokens',
  'cache_video_write_tokens',
  'cache_video_write_5m_tokens',
  'cache_video_write_1h_tokens',
  'output_tokens',
  'output_text_tokens',
  'output_audio_tokens',
  'output_image_tokens',
  'output_video_tokens',
  'output_reasoning_tokens',
  'output_text_reasoning_tokens',
  'output_audio_reasoning_tokens',
  'output_image_reasoning_tokens',
  'output_video_reasoning_tokens',
  'output_citation_tokens',
  'output_text_citation_tokens',
  'output_audio_citation_tokens',
  'output_image_citation_tokens',
  'output_video_citation_tokens',
  'web_searches',
  'social_searches',
  'storage_searches',
  'rerank_searches',
  'code_executions',
  'audio_seconds',
  'input_audio_seconds',
  'output_audio_seconds',
  'input_characters',
  'input_pixels',
  'input_document_pages',
  'input_annotated_document_pages',
  'input_text_messages',
] as const

export type Unit = (typeof UNITS)[number]

/** Counts that can be believed: finite, >= 0, whole but for seconds. What is absent is zero. */
export type UsageCounts = Readonly<Partial<Record<Unit, number>>>

/** More than any one answer uses: the largest context is ten million tokens. */
const MAX_TOKENS = 100_000_000
const MAX_OTHERS = 10_000_000_000

export type UsageFault = 'absent' | 'negative' | 'not_a_number' | 'fraction' | 'implausible'

export interface JudgedUsage {
  readonly counts: UsageCounts
  /** What was wrong with the provider's count, unit by unit; empty where all of it can be believed. */
  readonly faults: Readonly<Partial<Record<Unit, UsageFault>>>
  /** Whether a total is our estimate and not the provider's count. */
  readonly estimated: boolean
}

/** Our own reckoning of the totals; undefined where the answer has no such total, as embeddings have no output. */
export interface UsageEstimate {
  readonly input_tokens?: number | undefined
  readonly output_tokens?: number | undefined
}

/**
 * Believes of a provider's count what can be believed. A total that is absent or makes no sense is replaced by the
 * estimate, a part is left out and so priced as the rest of its total; both are named in `faults`.
 * @param said undefined where the answer told nothing
 */
export function judgeUsage(
  said: Readonly<Record<string, unknown>> | undefined,
  estimate: UsageEstimate = {},
): JudgedUsage {
  const counts: Partial<Record<Unit, number>> = {}
  const faults: Partial<Record<Unit, UsageFault>> = {}
  let estimated = false
  for (const unit of UNITS) {
    const value = said && Object.hasOwn(said, unit) ? said[unit] : undefined
    const ours = unit === 'input_tokens' || unit === 'output_tokens' ? estimate[unit] : undefined
    const fault = faultOf(unit, value) ?? (value === undefined && ours !== undefined ? 'absent' : undefined)
    if (fault) faults[unit] = fault
    if (fault === 'fraction') counts[unit] = Math.ceil(value as number)
    else if (fault === undefined) {
      if (value !== undefined) counts[unit] = value as number
    } else if (ours !== undefined) {
      counts[unit] = plausible(ours)
      estimated = true
    }
  }
  return { counts, faults, estimated }
}

function faultOf(unit: Unit, value: unknown): UsageFault | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'number' || Number.isNaN(value)) return 'not_a_number'
  if (value < 0) return 'negative'
  if (value > (unit.endsWith('_tokens') ? MAX_TOKENS : MAX_OTHERS)) return 'implausible'
  return Number.isInteger(value) || unit.endsWith('_seconds') ? undefined : 'fraction'
}

const plausible = (tokens: number): number => (tokens >= 0 ? Math.min(Math.ceil(tokens), MAX_TOKENS) : 0)

/** English text has about four bytes a token in every tokenizer in use. */
const BYTES_PER_TOKEN = 4

/** For where nobody counted: a guess from the bytes of a text, and flagged as one wherever it is used. */
export const guessTokens = (bytes: number): number => Math.ceil(bytes / BYTES_PER_TOKEN)

/**
 * A stream's reports are of all that was used so far, each of some units only: the last word on a unit counts, unless
 * it is lower than an earlier one, since what is used is never given back.
 */
export function laterReport(
  earlier: Readonly<Record<string, number>>,
  later: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  const all = { ...earlier }
  for (const [unit, count] of Object.entries(later)) {
    const before = all[unit]
    all[unit] = before !== undefined && before > count ? before : count
  }
  return all
}

/**
 * Mends parts that contradict their total, the dearer way: some providers leave cached or reasoned tokens out of it.
 * Parts that are no longer in doubt keep their own price.
 */
export function reconcile(counts: UsageCounts): UsageCounts {
  let [input, output] = [counts.input_tokens ?? 0, counts.output_tokens ?? 0]
  for (const unit of UNITS) {
    if (!unit.endsWith('_tokens')) continue
    const count = counts[unit] ?? 0
    if (unit.startsWith('output_')) output = Math.max(output, count)
    else input = Math.max(input, count)
  }
  return { ...counts, input_tokens: input, output_tokens: output }
}

/** The totals alone, and what is no token. */
export const withoutParts = (counts: UsageCounts): UsageCounts =>
  Object.fromEntries(
    Object.entries(counts).filter(
      ([unit]) => unit === 'input_tokens' || unit === 'output_tokens' || !unit.endsWith('_tokens'),
    ),
  )
