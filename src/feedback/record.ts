import type { OutboxRecord } from './outbox.ts'
import { type RecordStore, StoreError } from './record-store.ts'

/** `later`: the store could not be asked. `suspect`: it fails at this record, and does well otherwise. */
export type Fate =
  | { readonly kind: 'stored' }
  | { readonly kind: 'later' }
  | { readonly kind: 'refused' | 'suspect'; readonly reason: string }

const STORED: Fate = { kind: 'stored' }
const LATER: Fate = { kind: 'later' }
/** Rows of one insert: two hundred were measured to go more than twice as fast as four times fifty. */
const LOT = 200
/** A rating looks for its prediction, so predictions go first. */
const KINDS = ['prediction', 'feedback', 'minute', 'text'] as const satisfies readonly OutboxRecord['kind'][]

/**
 * Stores records of every kind, each kind in lots. A lot that fails because of what is in it is halved until those at
 * fault stand alone, so that the others land.
 * @returns a fate each, in their order
 */
export async function storeRecords(store: RecordStore, records: readonly OutboxRecord[]): Promise<Fate[]> {
  const fates: Fate[] = new Array(records.length).fill(LATER)
  for (const kind of KINDS) {
    const places = records.flatMap((record, place) => (record.kind === kind ? [place] : []))
    for (let from = 0; from < places.length; from += LOT) {
      const lot = places.slice(from, from + LOT)
      const isAway = await storeLot(store, records, lot, fates)
      if (isAway) return fates
    }
  }
  return fates
}

/** @returns whether the store is away, so that asking on is of no use */
async function storeLot(
  store: RecordStore,
  records: readonly OutboxRecord[],
  places: readonly number[],
  fates: Fate[],
): Promise<boolean> {
  try {
    await store.insert(places.flatMap((place) => records[place] ?? []))
    for (const place of places) fates[place] = STORED
    return false
  } catch (error) {
    const { trouble, message } = asStoreError(error)
    if (trouble === 'away') return true
    // A store that fails at everything would have each lot halved down to the last row.
    if (trouble === 'unclear' && !(await store.isUp())) return true
    const [place] = places
    if (places.length === 1 && place !== undefined) {
      fates[place] = { kind: trouble === 'refused' ? 'refused' : 'suspect', reason: message }
      return false
    }
    const middle = places.length >> 1
    return (
      (await storeLot(store, records, places.slice(0, middle), fates)) ||
      (await storeLot(store, records, places.slice(middle), fates))
    )
  }
}

const asStoreError = (error: unknown): StoreError =>
  error instanceof StoreError ? error : new StoreError('away', 'not reached', { cause: error })
