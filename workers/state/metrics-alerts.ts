import type { BudgetNews } from '../../src/cost/budget-thresholds.ts'
import type { Attempt, LineIo, Lines } from '../../src/metrics/alert-delivery/channel.ts'
import {
  type AlertOutbox,
  deliver,
  GIVE_UP_AFTER_MS,
  nextDeliveryMs,
  type Troubles,
} from '../../src/metrics/alert-delivery/courier.ts'
import {
  type AlertSettings,
  linesOf,
  ownLinesOf,
  type Sender,
  senderOf,
} from '../../src/metrics/alert-delivery/lines.ts'
import { type AlertStates, evaluate } from '../../src/metrics/alert-evaluator.ts'
import {
  ALL_RULES,
  deliveriesOf,
  ruleNamed,
  type Silences,
  silencedUntilMs,
  summaryOf,
  testNotice,
} from '../../src/metrics/alert-notices.ts'
import { ALERT_RULES, type AlertRule, CHANNELS, type Channel } from '../../src/metrics/alert-rules.ts'
import { type AlertReadings, knownSince } from '../../src/metrics/alert-values.ts'
import { budgetChannels, budgetNotice } from '../../src/metrics/budget-notices.ts'
import { MINUTE_MS } from '../../src/metrics/rings.ts'
import { sqlOutbox } from './alert-outbox.ts'
import type { ValueStore } from './metrics-store.ts'
import { sqlTakenNews, type TakenNews } from './taken-news.ts'

/** One rule as it stands, or one of the things that it watches. */
export interface AlertView
  extends Pick<AlertRule, 'severity' | 'channels' | 'forS' | 'unit' | 'summary' | 'tip'> {
  readonly rule: string
  /** What it is about, `tier="kv"`; '' where the rule watches one thing only. */
  readonly labels: string
  readonly state: 'inactive' | 'pending' | 'firing'
  readonly sinceMs: number | null
  readonly firedMs: number | null
  /** null: inactive, or a part of nothing. */
  readonly value: number | null
  readonly told: readonly Channel[]
  readonly silencedUntilMs: number | null
}

export interface ChannelView {
  readonly channel: Channel
  readonly on: boolean
  /** Why it is off; otherwise what went wrong last. */
  readonly note: string | null
  readonly noteMs: number | null
  /** Notices on their way. */
  readonly waiting: number
  /** Notices that were given up. */
  readonly lost: number
}

export interface AlertOverview {
  readonly sentBy: Sender
  /** The minute up to which everything was judged; null before the first. */
  readonly evaluatedMs: number | null
  readonly alerts: readonly AlertView[]
  readonly channels: readonly ChannelView[]
  /** `all`, or a rule's name. */
  readonly silences: readonly { readonly rule: string; readonly untilMs: number }[]
}

export interface TestOutcome {
  readonly outcome: 'delivered' | 'refused' | 'failed' | 'off'
  readonly why: string
}

interface Kept {
  readonly states: AlertStates
  readonly silences: Silences
  readonly troubles: Troubles
  /** When counting began. */
  readonly beganMs: number | null
  readonly evaluatedMs: number | null
}

const KEY = 'alerts'
const NOTHING: Kept = { states: {}, silences: {}, troubles: {}, beganMs: null, evaluatedMs: null }
/** For one attempt on one channel. */
const SEND_MS = 5_000
/** For so long the same news of a budget are known again. No account repeats older ones: it has an answer. */
const NEWS_KNOWN_MS = 62 * 24 * 60 * MINUTE_MS

/** Watches the twelve rules, and tells the channels, also of budgets. All it knows is in the hub's storage. */
export class AlertDesk {
  readonly #store: ValueStore
  readonly #outbox: AlertOutbox
  readonly #settings: AlertSettings
  readonly #lines: Lines
  /** Alertmanager knows nothing of budgets. */
  readonly #budgetLines: Lines
  readonly #taken: TakenNews
  #kept: Kept

  constructor(store: ValueStore, sql: SqlStorage, settings: AlertSettings, io?: Partial<LineIo>) {
    this.#store = store
    this.#outbox = sqlOutbox(sql)
    this.#settings = settings
    const lineIo: LineIo = { fetch: (url, init) => fetch(url, init), timeoutMs: SEND_MS, ...io }
    this.#lines = linesOf(settings, lineIo)
    this.#budgetLines = ownLinesOf(settings, lineIo)
    this.#taken = sqlTakenNews(sql)
    this.#kept = store.get<Kept>(KEY) ?? NOTHING
  }

  /**
   * Judges what is known up to the end of a minute, once. What the channels are to be told is stored with the new
   * states, in one go: nothing is told twice, or not at all, because of a crash.
   * @param firstMs the beginning of the oldest minute that is known
   */
  evaluate(nowMs: number, firstMs: () => number, readings: AlertReadings): void {
    if (this.hasEvaluated(nowMs)) return
    const beganMs = this.#kept.beganMs ?? firstMs()
    const known = knownSince(beganMs, nowMs, readings)
    const { states, changes } = evaluate(ALERT_RULES, this.#kept.states, known, nowMs)
    const silences = Object.fromEntries(
      Object.entries(this.#kept.silences).filter(([, untilMs]) => untilMs > nowMs),
    )
    const isOn = (channel: Channel) => !('off' in this.#lines[channel])
    const told = deliveriesOf({ states, changes }, silences, isOn, nowMs)
    for (const delivery of told.deliveries) this.#outbox.put(delivery)
    this.#keep({ states: told.states, silences, beganMs, evaluatedMs: nowMs })
    this.#taken.tidy(nowMs - GIVE_UP_AFTER_MS, nowMs - NEWS_KNOWN_MS)
  }

  hasEvaluated(nowMs: number): boolean {
    return nowMs <= (this.#kept.evaluatedMs ?? 0)
  }

  /** What is to be told of budgets, each once, in silences too: it would be lost otherwise. */
  take(news: readonly BudgetNews[], nowMs: number): void {
    for (const each of news) this.#taken.take(each.id, nowMs, budgetNotice(each), budgetChannels(each))
    this.retake(nowMs)
  }

  /** Hands what was taken to those of its channels that are on by now: after a restart too. @returns whether there was any */
  retake(nowMs: number): boolean {
    let found = false
    for (const { id, notice, channels } of this.#taken.waiting(nowMs - GIVE_UP_AFTER_MS)) {
      const off = channels.filter((channel) => 'off' in this.#budgetLines[channel])
      if (off.length === channels.length) continue
      for (const channel of channels) if (!off.includes(channel)) this.#outbox.put({ channel, notice })
      this.#taken.keep(id, off)
      found = true
    }
    return found
  }

  /** Sends what waits and is due. Never rejects. */
  async deliver(): Promise<void> {
    const [lines, budgetLines] = [this.#lines, this.#budgetLines]
    const io = { outbox: this.#outbox, lines, budgetLines, now: Date.now, random: Math.random }
    const before = this.#kept.troubles
    const troubles = await deliver(io, before)
    if (JSON.stringify(troubles) === JSON.stringify(before)) return
    this.#keep({ troubles })
    for (const channel of CHANNELS) {
      const { atMs, why, lost } = troubles[channel] ?? {}
      if (atMs !== before[channel]?.atMs)
        console.error(JSON.stringify({ level: 'error', code: 'alert_undelivered', channel, why, lost }))
    }
  }

  /** When there is something to send; infinite while there is not. */
  get nextMs(): number {
    return nextDeliveryMs(this.#outbox, this.#kept.troubles)
  }

  /** Whether an alert is still to be looked after. */
  get isBusy(): boolean {
    return Object.keys(this.#kept.states).length > 0
  }

  overview(nowMs: number): AlertOverview {
    const { silences, evaluatedMs } = this.#kept
    return {
      sentBy: senderOf(this.#settings),
      evaluatedMs,
      alerts: ALERT_RULES.flatMap((rule) => this.#views(rule, nowMs)),
      channels: CHANNELS.map((channel) => this.#channel(channel)),
      silences: Object.entries(silences)
        .filter(([, untilMs]) => untilMs > nowMs)
        .map(([rule, untilMs]) => ({ rule, untilMs })),
    }
  }

  /** Nothing is told of the rule, or of `all`, until then. @returns false where there is no such rule */
  silence(rule: string, untilMs: number): boolean {
    if (rule !== ALL_RULES && !ruleNamed(rule)) return false
    this.#keep({ silences: { ...this.#kept.silences, [rule]: untilMs } })
    return true
  }

  /** @returns false where it was not silent */
  unsilence(rule: string): boolean {
    if (!Object.hasOwn(this.#kept.silences, rule)) return false
    const { [rule]: _, ...others } = this.#kept.silences
    this.#keep({ silences: others })
    return true
  }

  /** One attempt, at once: whoever tests is waiting for what happens. */
  async test(channel: Channel): Promise<TestOutcome> {
    const line = this.#lines[channel]
    if ('off' in line) return { outcome: 'off', why: line.off }
    const nowMs = Date.now()
    const attempt: Attempt = await line.send(testNotice(channel, `TestAlert ${crypto.randomUUID()}`, nowMs))
    return attempt.outcome === 'delivered' ? { outcome: 'delivered', why: '' } : attempt
  }

  #keep(change: Partial<Kept>): void {
    this.#kept = { ...this.#kept, ...change }
    this.#store.put(KEY, this.#kept)
  }

  #views(rule: AlertRule, nowMs: number): AlertView[] {
    const { name, severity, channels, forS, unit, tip } = rule
    const states = Object.values(this.#kept.states).filter((state) => state.rule === name)
    const untilMs = silencedUntilMs(this.#kept.silences, name)
    const common = { rule: name, severity, channels, forS, unit, tip }
    const silenced = { silencedUntilMs: untilMs > nowMs ? untilMs : null }
    if (states.length === 0) return [{ ...common, ...INACTIVE, ...silenced, summary: rule.summary }]
    return states.map(({ labels, sinceMs, firedMs, value, told }) => ({
      ...common,
      ...silenced,
      labels,
      summary: summaryOf(rule, labels),
      state: firedMs === undefined ? 'pending' : 'firing',
      sinceMs,
      firedMs: firedMs ?? null,
      value,
      told,
    }))
  }

  #channel(channel: Channel): ChannelView {
    const line = this.#lines[channel]
    const trouble = this.#kept.troubles[channel]
    const isOff = 'off' in line
    return {
      channel,
      on: !isOff,
      note: isOff ? line.off : (trouble?.why ?? null),
      noteMs: isOff ? null : (trouble?.atMs ?? null),
      waiting: this.#outbox.count(channel),
      lost: trouble?.lost ?? 0,
    }
  }
}

const INACTIVE = {
  labels: '',
  state: 'inactive',
  sinceMs: null,
  firedMs: null,
  value: null,
  told: [],
} as const satisfies Partial<AlertView>

/** The end of the last minute that is over. */
export const overMs = (nowMs: number): number => Math.floor(nowMs / MINUTE_MS) * MINUTE_MS
