import { type Clock, type WaitUntil, withDeadline } from '../core/clock.ts'
import { type CostLabelling, labelsOf } from './cost-labels.ts'
import type { HitFolding } from './folding.ts'
import type { KeyedHashes } from './keyed-hashes.ts'
import { type OutboxRecord, type Parcel, type TelemetryMessage, toParcel } from './outbox.ts'
import { fullJitterMs, inMessages } from './parcels.ts'
import { callsOf, type PredictionFacts, savedBy, toPredictionRow } from './prediction.ts'
import { toTextRow } from './text.ts'

export interface TelemetryOptions {
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Tells the tenant's account what became of an announced request. @returns false when it has no room */
  readonly settle: (tenantId: string, parcel: Parcel, text: Parcel | undefined) => Promise<boolean>
  /** Resolves once the queue holds the message. */
  readonly send: (message: TelemetryMessage) => Promise<void>
  readonly folding: HitFolding
  /** Keyed hashes of what models say. */
  readonly hashes: Pick<KeyedHashes, 'of'>
  /** Absent: costs are counted without names. */
  readonly labelling?: CostLabelling | undefined
}

export interface TelemetryFacts extends PredictionFacts {
  /** Whether the tenant's account was told of it before it was to spend. */
  readonly announced: boolean
  /** Whether it is added up with others instead. */
  readonly folded: boolean
  /** What the model said; undefined where none did. */
  readonly said: string | undefined
  /** The conversation as JSON, where it is to be kept with what was said. */
  readonly prompt: (() => string) | undefined
}

const GATHER_MS = 1_000
const LOT = 50
/** Records of an isolate that no queue holds yet, about 20 MB. What comes beyond is dropped, and counted. */
const MAX_HELD = 10_000
/** By one request, whose work is ended 30 s after its answer. */
const MAX_SENT = 1_000
const SEND_MS = 4_000
const TRIES = 5
const RETRY_BASE_MS = 200
const RETRY_CAP_MS = 3_000

/**
 * Sees every request's row on its way, behind its answer. What may have spent goes to the tenant's account, which
 * knows of it already; the rest is gathered here for a second, and dies with the isolate if that is killed.
 * Holds values only: each wait belongs to the request that began it.
 */
export class Telemetry {
  readonly #options: TelemetryOptions
  #waiting: OutboxRecord[] = []
  /** With those that are being sent. */
  #held = 0
  #dropped = 0
  /** When what waits is sent, if whoever promised it is still alive. */
  #dueMs = Number.NEGATIVE_INFINITY

  constructor(options: TelemetryOptions) {
    this.#options = options
  }

  /** Never throws and never waits. Requests of nobody known leave no row. */
  record(facts: TelemetryFacts, waitUntil: WaitUntil): void {
    const { tenantId } = facts
    if (tenantId === undefined) return
    const mode = this.#options.labelling?.modeOf(facts.routeId)
    if (facts.folded) {
      const saved = savedBy(facts)
      this.#options.folding.add({ ...facts, tenantId, mode, model: facts.origin?.model, saved })
      this.#sendSoon(waitUntil)
    } else if (facts.announced) waitUntil(this.#settle(facts, tenantId, mode))
    else {
      const row = toPredictionRow(facts, mode)
      if (!row) return
      this.#gather({ kind: 'prediction', row, saved: savedBy(facts) })
      this.#sendSoon(waitUntil)
    }
  }

  states(): { held: number; dropped: number } {
    return { held: this.#held, dropped: this.#dropped }
  }

  async #settle(facts: TelemetryFacts, tenantId: string, mode: number | undefined): Promise<void> {
    const { said, prompt, predictionId, receivedAtMs } = facts
    const answerHash = said ? await this.#options.hashes.of(tenantId, said) : undefined
    const row = toPredictionRow({ ...facts, answerHash }, mode)
    if (!row) return
    const { labelling } = this.#options
    const labels = labelling && labelsOf(labelling, tenantId, facts.attempts)
    const records: OutboxRecord[] = [{ kind: 'prediction', row, calls: callsOf(facts), labels }]
    if (prompt && said !== undefined)
      records.push({ kind: 'text', row: toTextRow(predictionId, tenantId, receivedAtMs, prompt(), said) })
    const [parcel, text] = records.map(toParcel)
    const taken = parcel && (await this.#tell(tenantId, parcel, text, mayHoldMoney(facts)))
    // Should the account send its own word too, later, the table has the id already.
    if (taken) return
    if (this.#held >= MAX_HELD) this.#dropped += 1
    else {
      this.#held += records.length
      await this.#send(records)
    }
  }

  /** @returns false where the account has no room, or does not answer */
  async #tell(
    tenantId: string,
    parcel: Parcel,
    text: Parcel | undefined,
    isUrgent: boolean,
  ): Promise<boolean> {
    for (let tried = 1; ; tried++) {
      try {
        return await this.#options.settle(tenantId, parcel, text)
      } catch {
        if (!isUrgent || tried === TRIES) return false
        await this.#pause(tried)
      }
    }
  }

  #gather(record: OutboxRecord): void {
    if (this.#held < MAX_HELD) {
      this.#held += 1
      this.#waiting.push(record)
    } else this.#dropped += record.kind === 'minute' ? record.row.requests : 1
  }

  #sendSoon(waitUntil: WaitUntil): void {
    const nowMs = this.#options.clock.now()
    if (this.#waiting.length >= LOT) waitUntil(this.#sendWaiting())
    // Whoever promised to send may have been ended before its time: then the next one does.
    else if (nowMs >= this.#dueMs + GATHER_MS) waitUntil(this.#sendLater(nowMs + GATHER_MS))
  }

  #sendLater(dueMs: number): Promise<void> {
    this.#dueMs = dueMs
    return new Promise((resolve) => {
      this.#options.clock.after(GATHER_MS, () => {
        if (this.#dueMs === dueMs) this.#dueMs = Number.NEGATIVE_INFINITY
        resolve(this.#sendWaiting())
      })
    })
  }

  #sendWaiting(): Promise<void> {
    for (const { row, saved } of this.#options.folding.take()) this.#gather({ kind: 'minute', row, saved })
    return this.#send(this.#waiting.splice(0, MAX_SENT))
  }

  async #send(records: readonly OutboxRecord[]): Promise<void> {
    const messages = [...inMessages(records, sizeOf)]
    for (const [index, message] of messages.entries()) {
      if (await this.#sendMessage({ records: message })) this.#held -= message.length
      else {
        // A later request takes them along.
        this.#waiting.push(...messages.slice(index).flat())
        return
      }
    }
  }

  async #sendMessage(message: TelemetryMessage): Promise<boolean> {
    const { clock, send } = this.#options
    for (let tried = 1; ; tried++) {
      try {
        await withDeadline(clock, SEND_MS, send(message))
        return true
      } catch {
        if (tried === TRIES) return false
        await this.#pause(tried)
      }
    }
  }

  #pause(tried: number): Promise<void> {
    const { clock, random } = this.#options
    const waitMs = fullJitterMs(tried, RETRY_BASE_MS, RETRY_CAP_MS, random)
    return new Promise((resolve) => void clock.after(waitMs, resolve))
  }
}

/** What its account holds back for it would in the end be charged at the worst case. */
const mayHoldMoney = ({ attempts, errorCode }: TelemetryFacts): boolean =>
  errorCode === 'store_unavailable' || attempts.some(({ reservedNanoUsd }) => reservedNanoUsd !== undefined)

/** What all of a row but its names and its decision may take: about a thousand bytes, most of them names of columns. */
const ROW_BYTES = 1_800

/** Not less than the record's JSON takes, bytes. Measuring the JSON itself of each hit took a thirtieth of the hit. */
function sizeOf(record: OutboxRecord): number {
  if (record.kind !== 'prediction') return JSON.stringify(record).length * 3
  const { route, model, request_id, decision, features, tags } = record.row
  const names = (route?.length ?? 0) + (model?.length ?? 0) + request_id.length
  const lists = decision || features.failures ? JSON.stringify([decision, features]).length : 0
  // Names are those of models that exist: printable, at most three bytes a character.
  let labels = 0
  for (const key in tags) labels += key.length + (tags[key]?.length ?? 0) + 6
  return ROW_BYTES + (names + lists) * 3 + labels
}
