import { DurableObject } from 'cloudflare:workers'
import { withDeadline } from '../../src/core/clock.ts'
import type { BudgetNews } from '../../src/cost/budget-thresholds.ts'
import type { AlertSettings } from '../../src/metrics/alert-delivery/lines.ts'
import { digester } from '../../src/metrics/alert-digest.ts'
import type { Channel } from '../../src/metrics/alert-rules.ts'
import type { Live, ShardReport } from '../../src/metrics/batch.ts'
import { mergeExemplars } from '../../src/metrics/batch-exemplars.ts'
import { mergeGauges } from '../../src/metrics/batch-gauges.ts'
import { Tally } from '../../src/metrics/batch-tally.ts'
import { seriesName } from '../../src/metrics/catalogue.ts'
import type { Exemplars } from '../../src/metrics/exposition.ts'
import type { Probes } from '../../src/metrics/probes.ts'
import { type DayTotals, MAX_SERIES, MINUTE_MS, MINUTES, Rings } from '../../src/metrics/rings.ts'
import type { MetricsSnapshot } from '../../src/metrics/snapshot.ts'
import type { HeldByMinute } from '../../src/metrics/stock.ts'
import { mergeWindows, type Window } from '../../src/metrics/window.ts'
import { workerClock } from '../clock.ts'
import { AlertDesk, type AlertOverview, overMs, type TestOutcome } from './metrics-alerts.ts'
import { dayOf, type Known, leasedGauges, stocksOf } from './metrics-known.ts'
import { LiveAudience } from './metrics-live.ts'
import { PageAudience } from './metrics-page.ts'
import type { MetricsShard } from './metrics-shard.ts'
import { putMinute, storedMinutes, type ValueStore, valueStore } from './metrics-store.ts'
import { UpkeepNews } from './metrics-upkeep.ts'

interface Env extends AlertSettings {
  readonly METRICS_SHARD: DurableObjectNamespace<MetricsShard>
}

/** Everything that was counted, over all shards. */
export interface HubSnapshot {
  readonly totals: MetricsSnapshot
  readonly day: DayTotals | undefined
  readonly isolates: number
  readonly exemplars: Exemplars
  /** Shards that did not answer: of them the last known totals are in it. */
  readonly away: number
}

const SHARDS_KEY = 'shards'
const ANSWER_MS = 2_000
const LIVE_ANSWER_MS = 1_000
/** Behind the minute's end, when the shards' minutes are over too. */
const ALARM_DELAY_MS = 1_000

/**
 * All shards as one. It asks only those that said they have something new, each minute, and twice a second while
 * somebody watches. Totals never fall: a shard that is away counts as it was last known.
 */
export class MetricsHub extends DurableObject<Env> {
  readonly #store: ValueStore
  readonly #rings: Rings
  /** What the alerts look at. */
  readonly #digests = new Rings()
  readonly #digest = digester()
  readonly #shards = new Map<string, Known | undefined>()
  /** When each shard last said that it has something new. */
  readonly #newsMs = new Map<string, number>()
  readonly #audience: LiveAudience
  readonly #alerts: AlertDesk
  readonly #page: PageAudience
  readonly #upkeep: UpkeepNews

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    this.#store = valueStore(ctx.storage.sql)
    const minutes = storedMinutes(this.#store)
    this.#rings = new Rings({ totals: NOTHING, day: undefined, minutes })
    for (const slot of minutes) this.#digests.addMinute(this.#digest(slot))
    for (const id of this.#store.get<string[]>(SHARDS_KEY) ?? []) {
      this.#shards.set(id, this.#store.get<Known>(id))
      this.#newsMs.set(id, Date.now())
    }
    this.#audience = new LiveAudience(workerClock, (seconds) => this.live(seconds))
    this.#upkeep = new UpkeepNews(this.#store)
    this.#alerts = new AlertDesk(this.#store, ctx.storage.sql, env)
    if (this.#alerts.retake(Date.now())) void ctx.storage.setAlarm(Date.now())
    this.#page = new PageAudience(ctx, workerClock, {
      refresh: () => this.#ask(),
      minutes: (first) => this.#rings.minutes(first),
      today: () => dayOf(this.#known()),
      live: (seconds) => this.live(seconds),
      alerts: () => this.alerts().alerts.filter(({ state }) => state !== 'inactive'),
    })
  }

  /** A WebSocket of the page at /monitoring. */
  override fetch(request: Request): Response {
    return this.#page.accept(request)
  }

  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    return this.#page.heard(socket, message)
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    // 1005 and 1006 may be told but not said.
    socket.close(code === 1005 || code === 1006 ? 1000 : code)
  }

  /** A shard says, at most once a minute, that it took batches. */
  async expect(shardId: string): Promise<void> {
    if (!this.#shards.has(shardId)) {
      this.#shards.set(shardId, undefined)
      this.#store.put(SHARDS_KEY, [...this.#shards.keys()])
    }
    this.#newsMs.set(shardId, Date.now())
    if ((await this.ctx.storage.getAlarm()) === null) await this.ctx.storage.setAlarm(nextMinuteMs())
  }

  /** Those that have counted something, ever. */
  shardIds(): readonly string[] {
    return [...this.#shards.keys()]
  }

  /** As of now. What it tells is durable first, so that no later answer tells less. */
  async snapshot(): Promise<HubSnapshot> {
    const away = await this.#ask()
    const known = this.#known()
    const nowMs = Date.now()
    const sum = new Tally(MAX_SERIES)
    for (const { totals } of known) sum.add(totals)
    const { counters, histograms } = sum.amounts()
    return {
      totals: {
        counters,
        histograms,
        gauges: this.#gauges(known, nowMs),
      },
      day: dayOf(known),
      isolates: known.reduce((total, { isolates }) => total + isolates, 0),
      exemplars: mergeExemplars(known.map(({ exemplars }) => exemplars ?? {})),
      away,
    }
  }

  /** What was added in the last minutes that are over. @param offsetSeconds how long before that the window ends */
  window(seconds: number, offsetSeconds = 0): Window {
    return this.#rings.lastMinutes(overMs(Date.now()), seconds, offsetSeconds)
  }

  /** What was added in the last seconds, 60 at most, and the gauges; of the shards that answer at once. */
  async live(seconds: number): Promise<Live> {
    const parts = await Promise.allSettled(
      this.#withNews().map((id) => withDeadline(workerClock, LIVE_ANSWER_MS, this.#shard(id).live(seconds))),
    )
    const live = parts.flatMap((part) => (part.status === 'fulfilled' ? [part.value] : []))
    return {
      window: mergeWindows(
        live.map(({ window }) => window),
        MAX_SERIES,
      ),
      gauges: {
        ...mergeGauges(live.map(({ gauges }) => gauges)),
        ...this.#ownGauges(
          [...this.#shards.values()].flatMap((shard) => shard ?? []),
          Date.now(),
        ),
      },
      isolates: live.reduce((total, { isolates }) => total + isolates, 0),
    }
  }

  /** `Live` as JSON, a line twice a second until the reader leaves; a slow reader misses lines. */
  watch(seconds: number): ReadableStream<Uint8Array> {
    return this.#audience.join(seconds)
  }

  /** The twelve alerts as they stood at the last minute's end, and their channels. */
  alerts(): AlertOverview {
    return this.#alerts.overview(Date.now())
  }

  /** Nothing is told of the rule, or of `all`, until then. @returns false where there is no such rule */
  silence(rule: string, untilMs: number): boolean {
    return this.#alerts.silence(rule, untilMs)
  }

  /** What fires by then is told at the next minute. @returns false where it was not silent */
  unsilence(rule: string): boolean {
    return this.#alerts.unsilence(rule)
  }

  testAlert(channel: Channel): Promise<TestOutcome> {
    return this.#alerts.test(channel)
  }

  /** A tenant's account tells how far budgets are used. Stored before the answer; what was told before changes nothing. */
  async budgetNews(news: readonly BudgetNews[]): Promise<void> {
    this.#alerts.take(news, Date.now())
    await this.#setAlarm()
  }

  /** The scheduler had everything probed that requests need. */
  probed(results: Probes): void {
    this.#upkeep.probed(results, Date.now())
  }

  /** Supabase was counted: what the tiers' own writes and removals add up to is right again. */
  async cacheCounted(minutes: HeldByMinute): Promise<void> {
    await this.#ask()
    this.#upkeep.counted(minutes, stocksOf(this.#known()), Date.now())
  }

  override async alarm(): Promise<void> {
    try {
      await this.#judgeMinute()
      await this.#alerts.deliver()
    } finally {
      await this.#setAlarm()
    }
  }

  /** Once a minute: an alarm in between is for a delivery only. */
  async #judgeMinute(): Promise<void> {
    const nowMs = overMs(Date.now())
    // News of a budget may ring before anything was ever counted.
    if (this.#shards.size === 0 || this.#alerts.hasEvaluated(nowMs)) return
    await this.#ask()
    const known = this.#known()
    const firstMs = () => (this.#digests.minutes(0)[0]?.minute ?? nowMs / MINUTE_MS - 1) * MINUTE_MS
    this.#alerts.evaluate(nowMs, firstMs, {
      gauges: this.#gauges(known, Date.now()),
      window: (seconds, offsetSeconds) => this.#digests.lastMinutes(nowMs, seconds, offsetSeconds),
    })
  }

  async #setAlarm(): Promise<void> {
    const nowMs = Date.now()
    // Until the last minute that knows anything has left the ring.
    const isAwake = nowMs - Math.max(...this.#newsMs.values()) <= (MINUTES + 1) * MINUTE_MS
    const minuteMs = isAwake || this.#alerts.isBusy ? nextMinuteMs() : Number.POSITIVE_INFINITY
    const nextMs = Math.min(minuteMs, Math.max(nowMs, this.#alerts.nextMs))
    if (nextMs < Number.POSITIVE_INFINITY) await this.ctx.storage.setAlarm(nextMs)
  }

  /** Asks all that may have something new. @returns how many did not answer */
  async #ask(): Promise<number> {
    const answers = await Promise.allSettled(
      this.#withNews().map(async (id) => {
        const askedMs = Date.now()
        const after = this.#shards.get(id)?.throughMinute ?? 0
        this.#learn(id, askedMs, await withDeadline(workerClock, ANSWER_MS, this.#shard(id).report(after)))
      }),
    )
    return answers.filter(({ status }) => status === 'rejected').length
  }

  #learn(id: string, askedMs: number, { minutes, ...report }: ShardReport): void {
    const known = this.#shards.get(id)
    // Two may have asked at once, and the older answer may come last.
    if (known && known.atMs > report.atMs) return
    for (const slot of minutes) {
      if (slot.minute <= (known?.throughMinute ?? 0)) continue
      this.#rings.addMinute(slot)
      this.#digests.addMinute(this.#digest(slot))
      for (const merged of this.#rings.minutes(slot.minute, slot.minute + 1)) putMinute(this.#store, merged)
    }
    const now: Known = { ...report, askedMs }
    this.#shards.set(id, now)
    this.#store.put(id, now)
  }

  /** A shard speaks up once a minute; its last words may be two minutes old when its last batch is told. */
  #withNews(): string[] {
    return [...this.#shards].flatMap(([id, known]) => {
      const newsMs = this.#newsMs.get(id) ?? 0
      return !known || known.askedMs < newsMs + 2 * MINUTE_MS ? [id] : []
    })
  }

  #known(): Known[] {
    return [...this.#shards.values()].filter((shard) => shard !== undefined)
  }

  #gauges(known: readonly Known[], nowMs: number): Record<string, number> {
    return { ...leasedGauges(known, nowMs), ...this.#ownGauges(known, nowMs) }
  }

  /** What no isolate tells, or none of them can. */
  #ownGauges(known: readonly Known[], nowMs: number): Record<string, number> {
    return {
      ...this.#upkeep.gauges(stocksOf(known), nowMs),
      [WEBSOCKETS]: this.ctx.getWebSockets().length,
    }
  }

  #shard(id: string): DurableObjectStub<MetricsShard> {
    return this.env.METRICS_SHARD.get(this.env.METRICS_SHARD.idFromString(id))
  }
}

const WEBSOCKETS = seriesName('connections_active', { kind: 'websocket' })

const NOTHING = { counters: {}, histograms: {}, sketches: {} }

const nextMinuteMs = (): number =>
  (Math.floor((Date.now() - ALARM_DELAY_MS) / MINUTE_MS) + 1) * MINUTE_MS + ALARM_DELAY_MS
