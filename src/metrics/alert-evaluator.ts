import type { AlertRule, Channel } from './alert-rules.ts'
import { type AlertReadings, holding, remembered, type Values } from './alert-values.ts'

/** An alert whose condition holds. One that does not hold has no state. */
export interface AlertState {
  readonly rule: string
  /** What it is about, where a rule watches several: `tier="kv"`; otherwise ''. */
  readonly labels: string
  /** When the condition began to hold. */
  readonly sinceMs: number
  /** When it had held for long enough; until then it is pending. */
  readonly firedMs: number | undefined
  /** null: without end, as of a part of nothing. */
  readonly value: number | null
  /** Who was told that it fires. */
  readonly told: readonly Channel[]
}

/** By `alertKey`. */
export type AlertStates = Readonly<Record<string, AlertState>>

export interface AlertChange {
  readonly to: 'pending' | 'firing' | 'resolved' | 'dropped'
  readonly alert: AlertState
}

export const alertKey = (rule: string, labels: string): string => (labels ? `${rule}{${labels}}` : rule)

/**
 * One evaluation, as Prometheus does it: what holds is pending, fires once it has held for as long as its rule says,
 * and is resolved at the first evaluation at which it does not hold any more. The same moment again changes nothing.
 */
export function evaluate(
  rules: readonly AlertRule[],
  states: AlertStates,
  readings: AlertReadings,
  nowMs: number,
): { readonly states: AlertStates; readonly changes: readonly AlertChange[] } {
  const once = remembered(readings)
  const next: Record<string, AlertState> = {}
  const changes: AlertChange[] = []
  for (const rule of rules) {
    for (const [labels, value] of wrong(rule, once)) {
      const key = alertKey(rule.name, labels)
      const known = states[key]
      const sinceMs = known?.sinceMs ?? nowMs
      const firedMs = known?.firedMs ?? (nowMs - sinceMs >= rule.forS * 1_000 ? nowMs : undefined)
      const alert: AlertState = {
        rule: rule.name,
        labels,
        sinceMs,
        firedMs,
        value: Number.isFinite(value) ? value : null,
        told: known?.told ?? [],
      }
      next[key] = alert
      if (firedMs !== known?.firedMs) changes.push({ to: 'firing', alert })
      else if (!known) changes.push({ to: 'pending', alert })
    }
  }
  for (const [key, alert] of Object.entries(states))
    if (!next[key]) changes.push({ to: alert.firedMs === undefined ? 'dropped' : 'resolved', alert })
  return { states: next, changes }
}

/** The values that are past the rule's threshold, and that no guard holds back. */
function wrong({ threshold, guards }: AlertRule, readings: AlertReadings): Values {
  const past = holding(threshold, readings)
  const kept = guards.map((guard) => holding(guard, readings))
  return new Map([...past].filter(([labels]) => kept.every((values) => values.has(labels))))
}
