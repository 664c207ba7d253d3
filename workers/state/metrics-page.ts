import type { Clock } from '../../src/core/clock.ts'
import {
  type AlertState,
  CLOSE_INVALID,
  CLOSE_SIGNED_OUT,
  type Figures,
  type FromHub,
} from '../../src/dashboard/messages.ts'
import { type ObjectiveState, objectivesOf } from '../../src/dashboard/objectives.ts'
import { choicesOf, figuresOf, timesOf } from '../../src/dashboard/read-model.ts'
import { PastMinutes, Timeline } from '../../src/dashboard/timeline.ts'
import { parseView, type View } from '../../src/dashboard/view.ts'
import type { Live } from '../../src/metrics/batch.ts'
import { type DayTotals, MINUTE_MS, MINUTES, type MinuteSlot } from '../../src/metrics/rings.ts'

/** What the hub lets the page see. */
export interface PageSource {
  /** Learns the minutes that are over. */
  refresh(): Promise<unknown>
  minutes(first: number): readonly MinuteSlot[]
  today(): DayTotals | undefined
  live(seconds: number): Promise<Live>
  /** Absent where nothing watches. */
  readonly alerts?: () => readonly AlertState[]
}

/** Kept with the socket, also while the hub sleeps. */
interface Viewer {
  /** When the session ends, milliseconds since the epoch. */
  readonly untilMs: number
  /** What is looked at; undefined: nobody looks. */
  readonly view?: View
  readonly heardMs: number
}

const TICK_MS = 500
/** Where a look takes long, the object has other things to do as well. */
const LEAST_PAUSE_MS = 100
/** A page that shows itself says so every ten seconds. */
const LOOKING_MS = 30_000
/** When the shards' minute is over too. */
const MINUTE_DELAY_MS = 500
const MAX_VIEWERS = 200
const MAX_MESSAGE_LENGTH = 2_000
const NOTHING = { counters: {}, histograms: {} }

interface Seen {
  readonly timeline: Timeline
  readonly today: Timeline
  readonly live: Live
  readonly alerts: readonly AlertState[] | undefined
}

/**
 * Those who have the page open. Figures are asked for only while somebody looks; between that the hub may sleep, and
 * the sockets stay.
 */
export class PageAudience {
  readonly #ctx: DurableObjectState
  readonly #clock: Clock
  readonly #source: PageSource
  /** What each socket was told, panel by panel. */
  readonly #told = new WeakMap<WebSocket, { view: string; minute: number; panels: Map<string, string> }>()
  #past = new PastMinutes([], 0, 0)
  #lastLive: Live | undefined
  #sketchesBefore: Live['window']['amounts']['sketches'] = {}
  #ticking = false

  constructor(ctx: DurableObjectState, clock: Clock, source: PageSource) {
    this.#ctx = ctx
    this.#clock = clock
    this.#source = source
  }

  /** The gateway has made sure of who comes, and says until when: `?until=` in milliseconds. */
  accept(request: Request): Response {
    if (this.#ctx.getWebSockets().length >= MAX_VIEWERS) return new Response('full\n', { status: 503 })
    const untilMs = Number(new URL(request.url).searchParams.get('until'))
    const { 0: client, 1: server } = new WebSocketPair()
    this.#ctx.acceptWebSocket(server)
    server.serializeAttachment({ untilMs, heardMs: 0 } satisfies Viewer)
    return new Response(null, { status: 101, webSocket: client })
  }

  async heard(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    const view = typeof message === 'string' ? wishOf(message) : undefined
    if (view === undefined) return socket.close(CLOSE_INVALID, 'not understood')
    const { untilMs } = viewerOf(socket)
    socket.serializeAttachment({
      untilMs,
      heardMs: this.#clock.now(),
      ...(view && { view }),
    } satisfies Viewer)
    if (!this.#ticking) await this.#tick()
  }

  async #tick(): Promise<void> {
    this.#ticking = this.#looking().length > 0
    if (!this.#ticking) return
    const startedMs = this.#clock.now()
    try {
      this.#show(await this.#look())
    } finally {
      const pauseMs = TICK_MS - (this.#clock.now() - startedMs)
      this.#clock.after(Math.max(LEAST_PAUSE_MS, pauseMs), () => void this.#tick())
    }
  }

  #looking(): [WebSocket, View][] {
    const nowMs = this.#clock.now()
    return this.#ctx.getWebSockets().flatMap((socket): [WebSocket, View][] => {
      const { untilMs, view, heardMs } = viewerOf(socket)
      if (untilMs < nowMs) socket.close(CLOSE_SIGNED_OUT, 'the session is over')
      return view && untilMs >= nowMs && nowMs < heardMs + LOOKING_MS ? [[socket, view]] : []
    })
  }

  async #look(): Promise<Seen> {
    const endMinute = Math.floor((this.#clock.now() - MINUTE_DELAY_MS) / MINUTE_MS)
    if (endMinute !== this.#past.endMinute) {
      await this.#source.refresh()
      const known = endMinute === this.#past.endMinute + 1 ? this.#lastLive : undefined
      this.#sketchesBefore = known?.window.amounts.sketches ?? {}
      this.#past = new PastMinutes(this.#source.minutes(endMinute - MINUTES), endMinute, MINUTES)
    }
    const openSeconds = Math.floor(this.#clock.now() / 1_000) - endMinute * 60
    const live = await this.#source.live(openSeconds)
    this.#lastLive = live
    const nowMs = this.#clock.now()
    const { amounts } = live.window
    const sketches = [this.#sketchesBefore, amounts.sketches]
    const none = new PastMinutes([], endMinute, 0)
    return {
      timeline: new Timeline(this.#past, amounts, live.gauges, nowMs, sketches),
      today: new Timeline(none, this.#source.today()?.amounts ?? NOTHING, {}, nowMs),
      live,
      alerts: this.#source.alerts?.(),
    }
  }

  #show(seen: Seen): void {
    const wholes = new Map<string, FromHub>()
    const changes = new Map<string, { figures: Figures; objectives: ObjectiveState[] }>()
    for (const [socket, view] of this.#looking()) {
      const name = JSON.stringify(view)
      const told = this.#told.get(socket)
      if (told?.view !== name || told.minute !== this.#past.endMinute) {
        const whole = wholes.get(name) ?? this.#whole(seen, view)
        wholes.set(name, whole)
        this.#told.set(socket, { view: name, minute: this.#past.endMinute, panels: new Map() })
        tell(socket, whole)
        continue
      }
      const now = changes.get(name) ?? {
        figures: figuresOf(seen.timeline, view, false),
        objectives: objectivesOf(seen.timeline, seen.today, view.filter),
      }
      changes.set(name, now)
      const figures = unlike(now.figures, told.panels)
      tell(socket, { kind: 'now', ...this.#common(seen), ...now, figures })
    }
  }

  #whole(seen: Seen, view: View): FromHub {
    return {
      kind: 'whole',
      ...this.#common(seen),
      view,
      times: timesOf(seen.timeline, view),
      choices: choicesOf(seen.timeline),
      figures: figuresOf(seen.timeline, view, true),
      objectives: objectivesOf(seen.timeline, seen.today, view.filter),
    }
  }

  #common({ live, timeline, alerts }: Seen) {
    return { atMs: timeline.nowMs, isolates: live.isolates, ...(alerts && { alerts }) }
  }
}

function tell(socket: WebSocket, message: FromHub): void {
  try {
    socket.send(JSON.stringify(message))
  } catch {
    // It has gone, and its end will be told.
  }
}

const viewerOf = (socket: WebSocket): Viewer => socket.deserializeAttachment() as Viewer

/** The view that is asked for; null: nobody looks any more; undefined: not understood. */
function wishOf(message: string): View | null | undefined {
  if (message.length > MAX_MESSAGE_LENGTH) return undefined
  try {
    const { look, rest } = JSON.parse(message) as { look?: unknown; rest?: unknown }
    return rest === true ? null : parseView(look)
  } catch {
    return undefined
  }
}

/** Those that differ from what was told, which they then are. */
function unlike(figures: Figures, told: Map<string, string>): Figures {
  return Object.fromEntries(
    Object.entries(figures).filter(([code, rows]) => {
      const text = JSON.stringify(rows)
      if (told.get(code) === text) return false
      told.set(code, text)
      return true
    }),
  )
}
