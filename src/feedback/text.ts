import { utf8 } from '../core/bytes.ts'
import type { TextRow } from './outbox.ts'

/** Of prompt and answer each, as JSON: so that both fit into one message of a queue. */
const MAX_BYTES = 45_000

/** @param prompt the conversation as JSON. @param answer what the model said */
export function toTextRow(
  predictionId: string,
  tenantId: string,
  createdAtMs: number,
  prompt: string,
  answer: string,
): TextRow {
  return {
    prediction_id: predictionId,
    tenant_id: tenantId,
    created_at: new Date(createdAtMs).toISOString(),
    prompt: fitting(prompt),
    answer: fitting(answer),
  }
}

/** As much of the beginning as fits; Postgres takes neither NUL nor half a character. */
function fitting(text: string): string {
  let kept = text.slice(0, MAX_BYTES).toWellFormed().replaceAll('\0', '\ufffd')
  for (;;) {
    const bytes = utf8(JSON.stringify(kept)).length
    if (bytes <= MAX_BYTES) return kept
    kept = kept.slice(0, Math.floor((kept.length * MAX_BYTES) / bytes)).toWellFormed()
  }
}
