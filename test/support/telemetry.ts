import type { CalledModel } from '../../src/cost/budget-book.ts'
import type { ProviderCall } from '../../src/cost/ledger.ts'
import type { Shelf, Shelved } from '../../src/feedback/courier.ts'
import { HitFolding } from '../../src/feedback/folding.ts'
import { type OutboxRecord, recordId } from '../../src/feedback/outbox.ts'
import { type PredictionFacts, type PredictionRow, toPredictionRow } from '../../src/feedback/prediction.ts'
import { type DeadLetter, type RecordStore, StoreError } from '../../src/feedback/record-store.ts'
import type { TelemetryFacts } from '../../src/feedback/telemetry.ts'

/** So generous that nothing is folded, unless told otherwise. */
export const hitFolding = (now: () => number, rowsPerSecond = 1e6): HitFolding =>
  new HitFolding({ now, rowsPerSecond })

export const TENANT_ID = '01890000-0000-7000-8000-00000000000a'

/** A UUID of version 7 that carries a number. */
export const idOf = (number: number): string =>
  `01890000-0000-7000-8000-${number.toString(16).padStart(12, '0')}`

export const facts = (number: number, more: Partial<PredictionFacts> = {}): TelemetryFacts => ({
  predictionId: idOf(number),
  requestId: `request-${number}`,
  outcome: 'success',
  errorCode: undefined,
  tenantId: TENANT_ID,
  keyId: undefined,
  routeId: 'simulated:sim-small',
  stream: false,
  cache: 'hit',
  replayed: false,
  tier: 'memory',
  origin: undefined,
  folded: false,
  userHash: undefined,
  promptHash: undefined,
  said: undefined,
  sentBytes: 40,
  prompt: undefined,
  receivedAtMs: 1_800_000_000_000,
  totalMs: 3,
  upstreamMs: undefined,
  usage: undefined,
  attempts: [],
  explain: undefined,
  announced: false,
  ...more,
})

export const rowOf = (number: number, more: Partial<PredictionFacts> = {}): PredictionRow =>
  toPredictionRow(facts(number, more)) as PredictionRow

export const recordOf = (number: number): OutboxRecord => ({ kind: 'prediction', row: rowOf(number) })

/** A settled request that paid for these calls. */
export const paidRecord = (
  row: PredictionRow,
  calls: readonly (Partial<ProviderCall> & CalledModel)[],
): OutboxRecord => ({
  kind: 'prediction',
  row,
  calls: calls.map((call) => ({
    result: 'answered',
    ms: 1,
    mayBeBilled: true,
    sentBytes: 400,
    saidBytes: 40,
    ...call,
  })),
})

/** Storage that outlives its courier. */
export function memoryShelf(): Shelf & { readonly held: Map<string, Shelved> } {
  const held = new Map<string, Shelved>()
  return {
    held,
    put: (parcel) => {
      if (held.has(parcel.id)) return false
      held.set(parcel.id, parcel)
      return true
    },
    replace: (parcel) => {
      if (!((held.get(parcel.id)?.dueMs ?? 0) > 0)) return false
      held.set(parcel.id, { ...parcel, dueMs: 0 })
      return true
    },
    waiting: (id) => {
      const parcel = held.get(id)
      return parcel && parcel.dueMs > 0 ? parcel.text : undefined
    },
    due: (nowMs, limit) => [...held.values()].filter(({ dueMs }) => dueMs <= nowMs).slice(0, limit),
    remove: (parcels) => {
      for (const { id, dueMs } of parcels) if (held.get(id)?.dueMs === dueMs) held.delete(id)
    },
    count: () => held.size,
    firstDueMs: () =>
      held.size === 0 ? undefined : Math.min(...[...held.values()].map(({ dueMs }) => dueMs)),
  }
}

/** Tables that take all or nothing, and refuse the ids they are told to. */
export function memoryStore(
  bad: ReadonlySet<string> = new Set(),
  trouble: 'refused' | 'unclear' = 'refused',
) {
  const stored = new Map<string, object>()
  const letters = new Map<string, DeadLetter>()
  const state = { away: false, up: true, inserts: 0 }
  const mustBeThere = () => {
    if (state.away) throw new StoreError('away', 'connection refused')
  }
  const store: RecordStore = {
    insert: async (records) => {
      state.inserts += 1
      mustBeThere()
      if (records.some((record) => bad.has(recordId(record)))) throw new StoreError(trouble, 'bad row')
      for (const record of records)
        if (!stored.has(recordId(record))) stored.set(recordId(record), record.row)
    },
    bury: async (added) => {
      mustBeThere()
      for (const letter of added) if (!letters.has(letter.id)) letters.set(letter.id, letter)
    },
    isUp: async () => state.up && !state.away,
  }
  return { store, stored, letters, state }
}
