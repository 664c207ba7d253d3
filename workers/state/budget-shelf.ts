import type { Budget, BudgetPeriod } from '../../src/cost/budget.ts'
import type { BudgetShelf, CalledModel, DaySpend, Reservation } from '../../src/cost/budget-book.ts'

type ReservationRow = Omit<Reservation, 'call'> & { readonly call: string }

/** A tenant's book of money as tables. */
export function sqlBudgetShelf(sql: SqlStorage): BudgetShelf {
  sql.exec(`create table if not exists budgets (
    key_id text, period text not null, limit_nano_usd integer not null, is_hard integer not null
  )`)
  sql.exec(`create table if not exists spends (
    day text not null, key text not null, nano_usd integer not null, primary key (day, key)
  ) without rowid`)
  sql.exec(`create table if not exists reservations (
    prediction_id text not null, attempt integer not null, key_id text not null, nano_usd integer not null,
    at_ms integer not null, call text not null, primary key (prediction_id, attempt)
  ) without rowid`)
  return {
    budgets: () =>
      sql
        .exec<{ key_id: string | null; period: string; limit_nano_usd: number; is_hard: number }>(
          'select key_id, period, limit_nano_usd, is_hard from budgets',
        )
        .toArray()
        .map(
          ({ key_id, period, limit_nano_usd, is_hard }): Budget => ({
            keyId: key_id,
            period: period as BudgetPeriod,
            limitNanoUsd: limit_nano_usd,
            isHard: is_hard === 1,
          }),
        ),
    setBudgets: (budgets) => {
      sql.exec('delete from budgets')
      for (const { keyId, period, limitNanoUsd, isHard } of budgets)
        sql.exec('insert into budgets values (?, ?, ?, ?)', keyId, period, limitNanoUsd, isHard ? 1 : 0)
    },
    spends: () =>
      sql
        .exec<{ [column in keyof DaySpend]: DaySpend[column] }>(
          'select key, day, nano_usd as "nanoUsd" from spends',
        )
        .toArray(),
    setSpend: ({ key, day, nanoUsd }) => {
      sql.exec('insert or replace into spends (day, key, nano_usd) values (?, ?, ?)', day, key, nanoUsd)
    },
    removeSpendsBefore: (day) => {
      sql.exec('delete from spends where day < ?', day)
    },
    reservations: () =>
      sql
        .exec<{ [column in keyof ReservationRow]: ReservationRow[column] }>(
          `select prediction_id as "predictionId", attempt, key_id as "keyId", nano_usd as "nanoUsd", at_ms as "atMs", call
           from reservations order by at_ms`,
        )
        .toArray()
        .map((row): Reservation => ({ ...row, call: JSON.parse(row.call) as CalledModel })),
    addReservation: ({ predictionId, attempt, keyId, nanoUsd, atMs, call }) => {
      sql.exec(
        'insert into reservations values (?, ?, ?, ?, ?, ?)',
        ...[predictionId, attempt, keyId, nanoUsd, atMs, JSON.stringify(call)],
      )
    },
    removeReservations: (predictionId) => {
      sql.exec('delete from reservations where prediction_id = ?', predictionId)
    },
    clear: () => {
      for (const table of ['budgets', 'spends', 'reservations']) sql.exec(`delete from ${table}`)
    },
  }
}
