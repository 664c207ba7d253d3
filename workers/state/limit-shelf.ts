import type { Flight, LimitShelf, OwnedSecond } from '../../src/tenants/limit-book.ts'
import type { Limits, OwnedLimits } from '../../src/tenants/limits.ts'

/** A tenant's limits, and what they have counted, as tables. */
export function sqlLimitShelf(sql: SqlStorage): LimitShelf {
  sql.exec('create table if not exists limits (key_id text, limits text not null)')
  sql.exec(`create table if not exists limit_seconds (
    owner text not null, kind text not null, second integer not null, count integer not null, last_ms integer not null,
    primary key (owner, kind, second)
  ) without rowid`)
  sql.exec(`create table if not exists limit_flights (
    prediction_id text primary key, key_id text not null, at_ms integer not null, tokens integer not null
  ) without rowid`)
  return {
    limits: () =>
      sql
        .exec<{ key_id: string | null; limits: string }>('select key_id, limits from limits')
        .toArray()
        .map(({ key_id, limits }): OwnedLimits => ({ keyId: key_id, ...(JSON.parse(limits) as Limits) })),
    setLimits: (limits) => {
      sql.exec('delete from limits')
      for (const { keyId, ...own } of limits)
        sql.exec('insert into limits values (?, ?)', keyId, JSON.stringify(own))
    },
    seconds: () =>
      sql
        .exec<{ [column in keyof OwnedSecond]: OwnedSecond[column] }>(
          'select owner, kind, second, count, last_ms as "lastMs" from limit_seconds order by second',
        )
        .toArray(),
    setSecond: ({ owner, kind, second, count, lastMs }) => {
      sql.exec(
        'insert or replace into limit_seconds values (?, ?, ?, ?, ?)',
        ...[owner, kind, second, count, lastMs],
      )
    },
    removeSeconds: (owner, kind, second = Number.MAX_SAFE_INTEGER) => {
      sql.exec(
        'delete from limit_seconds where owner = ? and kind = ? and second <= ?',
        ...[owner, kind, second],
      )
    },
    flights: () =>
      sql
        .exec<{ [column in keyof Flight]: Flight[column] }>(
          `select prediction_id as "predictionId", key_id as "keyId", at_ms as "atMs", tokens from limit_flights
           order by at_ms`,
        )
        .toArray(),
    addFlight: ({ predictionId, keyId, atMs, tokens }) => {
      sql.exec('insert into limit_flights values (?, ?, ?, ?)', predictionId, keyId, atMs, tokens)
    },
    removeFlight: (predictionId) => {
      sql.exec('delete from limit_flights where prediction_id = ?', predictionId)
    },
    clear: () => {
      for (const table of ['limits', 'limit_seconds', 'limit_flights']) sql.exec(`delete from ${table}`)
    },
  }
}
