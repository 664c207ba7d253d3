import { readFileSync } from 'node:fs'
import { HOUR_MS } from '../../src/warming/calendar.ts'
import { OperatorError } from '../stack/operator-error.ts'
import type { Trace, TraceRequest } from './trace.ts'

const DEFAULTS = { tenant: 'acme', costUsd: 0.002, latencyMs: 1_800 }

/**
 * A trace from a file: one JSON object a line, `{"atMs", "prompt"}` and, if wanted, `tenant`, `meaning` (the prompt,
 * unless said otherwise), `costUsd`, `latencyMs`.
 * @param warmUpHours after the first request; what comes before that is not counted
 */
export function traceFile(file: string, warmUpHours: number): Trace {
  const requests = textOf(file)
    .split('\n')
    .flatMap((line, index) => (line.trim() === '' ? [] : [requestOf(line, `${file}, line ${index + 1}`)]))
    .sort((a, b) => a.atMs - b.atMs)
  const [first] = requests
  if (!first) throw new OperatorError(`${file} holds no request.`)
  return { name: file, countedFromMs: first.atMs + warmUpHours * HOUR_MS, requests }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    throw new OperatorError(`There is no trace and no file named ${file}.`)
  }
}

function requestOf(line: string, place: string): TraceRequest {
  const read = objectOf(line)
  const {
    atMs,
    prompt,
    tenant = DEFAULTS.tenant,
    costUsd = DEFAULTS.costUsd,
    latencyMs = DEFAULTS.latencyMs,
  } = read
  const { meaning = prompt } = read
  if (!isAmount(atMs) || typeof prompt !== 'string')
    throw new OperatorError(`${place} is no request. Write {"atMs": 1767600000000, "prompt": "..."}.`)
  if (typeof tenant !== 'string' || typeof meaning !== 'string' || !isAmount(costUsd) || !isAmount(latencyMs))
    throw new OperatorError(`${place}: tenant and meaning are texts, costUsd and latencyMs are not negative.`)
  return { atMs, prompt, tenant, meaning: `${tenant}: ${meaning}`, costUsd, latencyMs }
}

function objectOf(line: string): Record<string, unknown> {
  try {
    const read: unknown = JSON.parse(line)
    return typeof read === 'object' && read !== null ? { ...read } : {}
  } catch {
    return {}
  }
}

const isAmount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0
