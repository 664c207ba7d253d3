import { isObject } from '../core/json.ts'
import type { OutboxRecord } from './outbox.ts'
import { storeRecords } from './record.ts'
import { type DeadLetter, type RecordStore, TABLES } from './record-store.ts'

/** A message as the queue hands it over. */
export interface Delivery {
  readonly body: unknown
  /** How often it came, from 1. */
  readonly attempts: number
  ack(): void
  retry(): void
}

/** So often a record may fail, in a store that does well otherwise, before it is buried. */
const PATIENCE = 3
const MAX_REASON = 500
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

export interface Intake {
  readonly stored: number
  readonly buried: number
  /** Messages that are to come again. */
  readonly later: number
}

/**
 * Takes in a batch. A message is acknowledged once each of its records lies in its table or among the dead letters;
 * otherwise the whole of it comes again, and what was stored already is left alone then.
 * @param newId a UUID, for what came without one
 * @param told what became of each record; of what comes again only that it does
 */
export async function takeIn(
  store: RecordStore,
  deliveries: readonly Delivery[],
  newId: () => string,
  told: TellRecord = () => {},
): Promise<Intake> {
  const parts = deliveries.flatMap((delivery) => read(delivery))
  const sound = parts.flatMap(({ record }) => record ?? [])
  const fates = (await storeRecords(store, sound)).values()
  const unsettled = new Set<Delivery>()
  const letters: DeadLetter[] = []
  const gone = new Set<Part>()
  let stored = 0
  for (const part of parts) {
    const { delivery, record, value } = part
    const fate = record ? fates.next().value : ({ kind: 'refused', reason: 'This is no record.' } as const)
    if (fate?.kind === 'stored') stored += 1
    else if (fate?.kind === 'refused' || (fate?.kind === 'suspect' && delivery.attempts >= PATIENCE)) {
      letters.push(letter(value, fate.reason, newId))
      gone.add(part)
    } else unsettled.add(delivery)
  }
  const buried = letters.length > 0 ? await bury(store, letters) : true
  if (!buried) for (const { delivery } of gone) unsettled.add(delivery)
  for (const delivery of deliveries) {
    if (unsettled.has(delivery)) delivery.retry()
    else delivery.ack()
  }
  for (const part of parts)
    told(part.record?.kind, unsettled.has(part.delivery) ? 'later' : gone.has(part) ? 'buried' : 'stored')
  return { stored, buried: buried ? letters.length : 0, later: unsettled.size }
}

/** @param kind undefined for what is no record */
export type TellRecord = (
  kind: OutboxRecord['kind'] | undefined,
  became: 'stored' | 'buried' | 'later',
) => void

interface Part {
  readonly delivery: Delivery
  readonly value: unknown
  /** Undefined where `value` is none. */
  readonly record: OutboxRecord | undefined
}

function read(delivery: Delivery): Part[] {
  const { body } = delivery
  const values = isObject(body) && Array.isArray(body.records) ? (body.records as unknown[]) : [body]
  return values.map((value) => ({ delivery, value, record: isRecord(value) ? value : undefined }))
}

/** What a table says of a row, it says better; here only what is needed to find it. */
export function isRecord(value: unknown): value is OutboxRecord {
  if (!isObject(value) || typeof value.kind !== 'string' || !Object.hasOwn(TABLES, value.kind)) return false
  const id = isObject(value.row) && value.row[TABLES[value.kind as OutboxRecord['kind']].id]
  return typeof id === 'string' && UUID.test(id)
}

function letter(value: unknown, reason: string, newId: () => string): DeadLetter {
  const { kind, row } = isObject(value) ? value : {}
  const { id, tenant_id: tenantId } = isObject(row) ? row : {}
  return {
    id: typeof id === 'string' && UUID.test(id) ? id : newId(),
    tenant_id: typeof tenantId === 'string' && UUID.test(tenantId) ? tenantId : null,
    kind: typeof kind === 'string' ? kind.slice(0, 64) : 'unknown',
    record: value ?? null,
    reason: reason.slice(0, MAX_REASON),
  }
}

const bury = (store: RecordStore, letters: readonly DeadLetter[]): Promise<boolean> =>
  store.bury(letters).then(
    () => true,
    () => false,
  )
