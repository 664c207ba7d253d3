import { fullJitterMs } from '../../feedback/parcels.ts'
import type { Delivery, Notice } from '../alert-notices.ts'
import { CHANNELS, type Channel } from '../alert-rules.ts'
import type { Lines } from './channel.ts'

/** What waits to be sent, in the order in which it came. Synchronous and durable. */
export interface AlertOutbox {
  /** The same delivery again changes nothing while it waits. */
  put(delivery: Delivery): void
  /** The oldest of a channel. */
  first(channel: Channel): { readonly number: number; readonly notice: Notice } | undefined
  remove(number: number): void
  count(channel: Channel): number
}

/** What is known of a channel's trouble. */
export interface ChannelTrouble {
  /** Attempts that failed one after the other. */
  readonly failures: number
  /** When to try again. */
  readonly dueMs: number
  /** What went wrong last, and when; kept when it works again. */
  readonly why: string
  readonly atMs: number
  /** Notices that were given up, since ever. */
  readonly lost: number
}

export type Troubles = Readonly<Partial<Record<Channel, ChannelTrouble>>>

export interface CourierIo {
  readonly outbox: AlertOutbox
  readonly lines: Lines
  /** By which notices of budgets go. */
  readonly budgetLines: Lines
  readonly now: () => number
  /** Uniform in [0, 1). */
  readonly random: () => number
}

const RETRY_BASE_MS = 1_000
const RETRY_CAP_MS = 5 * 60_000
/** Older news helps nobody, and a dead channel must not gather them without end. */
export const GIVE_UP_AFTER_MS = 6 * 3_600_000
/** So that a slow channel does not keep the next evaluation waiting. */
const NOTICES_A_ROUND = 10

/**
 * Sends what waits, every channel by itself and all at once: one that fails holds up none of the others. Within a
 * channel one after the other, so that an alert's end never overtakes its beginning. A notice is removed once the
 * other side has it, so one may come twice after a crash in between, never not at all.
 * @returns the troubles as they are now
 */
export async function deliver(io: CourierIo, troubles: Troubles): Promise<Troubles> {
  const told = await Promise.all(
    CHANNELS.map(async (channel) => [channel, await deliverTo(channel, io, troubles[channel])] as const),
  )
  return Object.fromEntries(told.flatMap(([channel, trouble]) => (trouble ? [[channel, trouble]] : [])))
}

async function deliverTo(
  channel: Channel,
  { outbox, lines, budgetLines, now, random }: CourierIo,
  known: ChannelTrouble | undefined,
): Promise<ChannelTrouble | undefined> {
  let trouble = known
  for (let sent = 0; sent < NOTICES_A_ROUND; sent++) {
    const waiting = outbox.first(channel)
    if (!waiting) return trouble
    const failing = trouble && trouble.failures > 0 ? trouble : undefined
    if (failing && now() - waiting.notice.atMs >= GIVE_UP_AFTER_MS) {
      trouble = { ...failing, lost: failing.lost + 1 }
    } else {
      if (failing && failing.dueMs > now()) return failing
      const line = (waiting.notice.kind === 'budget' ? budgetLines : lines)[channel]
      // It was switched off meanwhile.
      const attempt = 'off' in line ? undefined : await line.send(waiting.notice)
      if (attempt?.outcome === 'failed') {
        const failures = trouble?.failures ?? 0
        const jitterMs = fullJitterMs(failures, RETRY_BASE_MS, RETRY_CAP_MS, random)
        const dueMs = now() + Math.max(attempt.retryAfterMs, jitterMs)
        return { ...told(trouble, attempt.why, now()), failures: failures + 1, dueMs }
      }
      if (attempt?.outcome === 'refused') {
        const before = told(trouble, attempt.why, now())
        trouble = { ...before, failures: 0, lost: before.lost + 1 }
      } else if (trouble) trouble = { ...trouble, failures: 0 }
    }
    outbox.remove(waiting.number)
  }
  return trouble
}

const told = (trouble: ChannelTrouble | undefined, why: string, atMs: number): ChannelTrouble => ({
  failures: trouble?.failures ?? 0,
  dueMs: trouble?.dueMs ?? 0,
  lost: trouble?.lost ?? 0,
  why,
  atMs,
})

/** When to call `deliver` again; infinite where nothing waits. */
export const nextDeliveryMs = (outbox: AlertOutbox, troubles: Troubles): number =>
  Math.min(
    ...CHANNELS.map((channel) => {
      if (outbox.count(channel) === 0) return Number.POSITIVE_INFINITY
      const trouble = troubles[channel]
      return trouble && trouble.failures > 0 ? trouble.dueMs : 0
    }),
  )
