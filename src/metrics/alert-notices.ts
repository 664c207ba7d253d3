import { type AlertChange, type AlertState, type AlertStates, alertKey } from './alert-evaluator.ts'
import { ALERT_RULES, type AlertRule, type Channel } from './alert-rules.ts'

/** What a channel is told. */
export interface Notice {
  readonly kind: 'firing' | 'resolved' | 'test' | 'budget'
  /** The same for an alert's firing and its end, and at every repetition; another each time that it fires. */
  readonly id: string
  readonly rule: string
  readonly labels: string
  readonly severity: AlertRule['severity'] | 'info'
  readonly summary: string
  /** What is the case, and the next step. */
  readonly details: string
  readonly atMs: number
}

export interface Delivery {
  readonly channel: Channel
  readonly notice: Notice
}

/** Until when nothing is told of a rule. */
export type Silences = Readonly<Record<string, number>>
/** Stands for every rule. */
export const ALL_RULES = 'all'

export const silencedUntilMs = (silences: Silences, rule: string): number =>
  Math.max(silences[rule] ?? 0, silences[ALL_RULES] ?? 0)

/**
 * Who is to be told what: of each alert that fires every channel of its rule, once, as soon as it is on and no silence
 * is kept; of its end those that were told that it fires, also in a silence, which would leave an incident open.
 */
export function deliveriesOf(
  { states, changes }: { readonly states: AlertStates; readonly changes: readonly AlertChange[] },
  silences: Silences,
  isOn: (channel: Channel) => boolean,
  nowMs: number,
): { readonly states: AlertStates; readonly deliveries: readonly Delivery[] } {
  const deliveries: Delivery[] = changes.flatMap(({ to, alert }) =>
    to === 'resolved' ? alert.told.map((channel) => ({ channel, notice: ended(alert, nowMs) })) : [],
  )
  const next: Record<string, AlertState> = {}
  for (const [key, alert] of Object.entries(states)) {
    const rule = ruleNamed(alert.rule)
    const mayTell = alert.firedMs !== undefined && silencedUntilMs(silences, alert.rule) <= nowMs
    const channels = mayTell
      ? (rule?.channels ?? []).filter((channel) => isOn(channel) && !alert.told.includes(channel))
      : []
    for (const channel of channels) deliveries.push({ channel, notice: fired(alert) })
    next[key] = channels.length > 0 ? { ...alert, told: [...alert.told, ...channels] } : alert
  }
  return { states: next, deliveries }
}

/** @param id another for each test */
export const testNotice = (channel: Channel, id: string, atMs: number): Notice => ({
  kind: 'test',
  id,
  rule: 'TestAlert',
  labels: '',
  severity: 'info',
  summary: 'This is a test',
  details: `Nothing is wrong: an operator asked whether alerts reach ${channel}.`,
  atMs,
})

const fired = (alert: AlertState): Notice => notice('firing', alert, alert.firedMs ?? alert.sinceMs)
const ended = (alert: AlertState, nowMs: number): Notice => notice('resolved', alert, nowMs)

function notice(kind: 'firing' | 'resolved', alert: AlertState, atMs: number): Notice {
  const rule = ruleNamed(alert.rule)
  return {
    kind,
    id: `${alertKey(alert.rule, alert.labels)} ${alert.firedMs}`,
    rule: alert.rule,
    labels: alert.labels,
    severity: rule?.severity ?? 'warning',
    summary: rule ? summaryOf(rule, alert.labels) : 'This rule is not watched any more',
    details: rule ? `${kind === 'firing' ? 'Now' : 'Last'} ${valueText(rule, alert.value)}. ${rule.tip}` : '',
    atMs,
  }
}

export const ruleNamed = (name: string): AlertRule | undefined =>
  ALERT_RULES.find((rule) => rule.name === name)

/** The summary with the labels' values in place of what stands for them; with dots where there are none. */
export const summaryOf = ({ summary }: AlertRule, labels: string): string =>
  summary.replace(/\{\{ \$labels\.(\w+) \}\}/g, (_, label: string) =>
    labels.startsWith(`${label}="`) ? labels.slice(label.length + 2, -1) : '...',
  )

/** @example valueText(rule, 0.0512) // 5.12 % */
export function valueText({ unit }: AlertRule, value: number | null): string {
  if (value === null) return 'beyond measure'
  if (unit === 'part') return `${shortly(value * 100)} %`
  return `${shortly(value)} ${unit}`
}

const shortly = (value: number): string => String(Number(value.toPrecision(4)))
