import { utf8 } from '../core/bytes.ts'
import type { Needs } from './needs.ts'
import type { Decision } from './select.ts'
import type { Candidate, Reason } from './strategy.ts'
import type { Task } from './task.ts'

/** Largest value of `x-beast-route`, bytes. */
export const MAX_HEADER_BYTES = 1_024
/** So that a long name does not push out what is said of it. */
const MAX_ID_BYTES = 300
/** Candidates in a record; what comes after them was not going to be tried. */
const MAX_RECORDED = 32

/**
 * The value of `x-beast-route`, in the form of `Cache-Status`: the model that answered first, then what else could
 * have, then what could not and why; the task where it had a say. Ids and reason codes only, no scores, and nothing of another tenant's
 * models, not even how many there are. Whole members only, up to 1 kB.
 * @param answered which of `decision.chosen` answered; undefined while none did
 */
export function routeHeader(decision: Decision, needs: Needs, answered = decision.chosen[0]): string {
  let header = ''
  for (const candidate of inOrder(decision, answered)) {
    const told = candidate === answered && !candidate.reasons.includes('named')
    const said = told ? `${member(candidate)};task=${needs.task}` : member(candidate)
    const longer = header === '' ? said : `${header}, ${said}`
    if (longer.length > MAX_HEADER_BYTES) break
    header = longer
  }
  return header
}

/** A decision as the prediction record keeps it. The record is its tenant's to read. */
export interface RouteRecord {
  readonly task: Task
  readonly inputTokens: number
  readonly codeLanguage: string | null
  /** In the order in which they would have been tried, then those that were out. */
  readonly candidates: readonly {
    readonly id: string
    readonly rank: number
    readonly score: number
    readonly reasons: readonly Reason[]
    readonly excluded: Reason | null
  }[]
}

export function routeRecord(decision: Decision, needs: Needs): RouteRecord {
  const candidates: Candidate[] = []
  for (const candidate of inOrder(decision, decision.chosen[0])) {
    if (candidates.length === MAX_RECORDED) break
    candidates.push(candidate)
  }
  return {
    task: needs.task,
    inputTokens: needs.inputTokens,
    codeLanguage: needs.codeLanguage ?? null,
    candidates: candidates.map(({ model, rank, score, reasons, excluded = null }) => ({
      id: model.route.id,
      rank,
      score: Math.round(score * 1_000) / 1_000,
      reasons,
      excluded,
    })),
  }
}

/** What the caller may know of: chosen ones, then excluded ones, other tenants' left out. */
function* inOrder(
  { chosen, considered }: Decision,
  first: Candidate | undefined,
): Generator<Candidate, void, undefined> {
  if (first) yield first
  for (const candidate of chosen) if (candidate !== first) yield candidate
  for (const candidate of considered) {
    if (candidate.excluded && candidate.excluded !== 'not_yours') yield candidate
  }
}

const member = ({ model, reasons, excluded }: Candidate): string =>
  excluded ? `${safe(model.route.id)};out=${excluded}` : `${safe(model.route.id)};by=${reasons.join('+')}`

/** An id as a header may carry it: whatever is not plain is percent-encoded; a very long one ends in `~`. */
function safe(id: string): string {
  const encoded = /^[\w:./-]*$/.test(id) ? id : percentEncoded(id)
  return encoded.length > MAX_ID_BYTES ? `${encoded.slice(0, MAX_ID_BYTES)}~` : encoded
}

function percentEncoded(id: string): string {
  let encoded = ''
  for (const byte of utf8(id)) {
    const char = String.fromCharCode(byte)
    encoded += /[\w:./-]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return encoded
}
