import { MINUTES, type MinuteSlot } from '../../src/metrics/rings.ts'

/** Characters of a row: at three bytes each still under the 2 MB that one may take. */
export const MAX_ROW_LENGTH = 600_000

/** Values of any length by name, as JSON cut into rows. */
export interface ValueStore {
  get<T>(name: string): T | undefined
  put(name: string, value: unknown): void
}

export function valueStore(sql: SqlStorage): ValueStore {
  sql.exec(
    'create table if not exists kept (name text, part integer, text text not null, primary key (name, part)) without rowid',
  )
  return {
    get: <T>(name: string) => {
      const rows = sql.exec<{ text: string }>('select text from kept where name = ? order by part', name)
      const text = [...rows].map((row) => row.text).join('')
      return text === '' ? undefined : (JSON.parse(text) as T)
    },
    put: (name, value) => {
      const text = JSON.stringify(value)
      let part = 0
      for (let from = 0; from < text.length; from += MAX_ROW_LENGTH)
        sql.exec(
          'insert or replace into kept values (?, ?, ?)',
          name,
          part++,
          text.slice(from, from + MAX_ROW_LENGTH),
        )
      sql.exec('delete from kept where name = ? and part >= ?', name, part)
    },
  }
}

// A minute is written over the one that has left the ring.
const PLACES = MINUTES + 1
const nameOf = (place: number): string => `minute ${place}`

export const putMinute = (store: ValueStore, slot: MinuteSlot): void =>
  store.put(nameOf(slot.minute % PLACES), slot)

/** By time. */
export const storedMinutes = (store: ValueStore): MinuteSlot[] =>
  Array.from({ length: PLACES }, (_, place) => store.get<MinuteSlot>(nameOf(place)) ?? [])
    .flat()
    .sort((a, b) => a.minute - b.minute)

/** The batches that the kept totals do not hold yet, a row each, written over in turn. */
export interface BatchRows {
  /** @param number rising by one */
  put(number: number, atMs: number, body: string): void
  /** Those after `number`, in their order. */
  after(number: number): Iterable<{ readonly number: number; readonly atMs: number; readonly body: string }>
}

export function batchRows(sql: SqlStorage, places: number): BatchRows {
  sql.exec(
    'create table if not exists batches (place integer primary key, number integer not null, at_ms integer not null, body text not null)',
  )
  return {
    put: (number, atMs, body) =>
      void sql.exec(
        'insert or replace into batches values (?, ?, ?, ?)',
        number % places,
        number,
        atMs,
        body,
      ),
    after: (number) =>
      sql.exec<{ number: number; atMs: number; body: string }>(
        'select number, at_ms as atMs, body from batches where number > ? order by number',
        number,
      ),
  }
}
