import type { NewsShelf } from '../../src/cost/budget-news.ts'
import type { BudgetNews, Told, ToldShelf } from '../../src/cost/budget-thresholds.ts'

/** What was told of a tenant's budgets, and what is still to be told, as tables beside those of the budgets. */
export function sqlNewsShelf(sql: SqlStorage): ToldShelf & NewsShelf & { clear(): void } {
  sql.exec(`create table if not exists budget_told (
    period_name text not null, key text not null, percent integer not null, limit_nano_usd integer not null,
    round integer not null, primary key (period_name, key)
  ) without rowid`)
  sql.exec(
    'create table if not exists budget_news (number integer primary key autoincrement, id text not null unique, news text not null)',
  )
  sql.exec('create table if not exists budget_tenant (one integer primary key, name text not null)')
  return {
    told: () =>
      sql
        .exec<{ [column in keyof Told]: Told[column] }>(
          `select key, period_name as "periodName", percent, limit_nano_usd as "limitNanoUsd", round from budget_told`,
        )
        .toArray(),
    setTold: ({ key, periodName, percent, limitNanoUsd, round }) => {
      sql.exec(
        'insert or replace into budget_told values (?, ?, ?, ?, ?)',
        ...[periodName, key, percent, limitNanoUsd, round],
      )
    },
    removeToldBefore: (periodName) => {
      sql.exec('delete from budget_told where period_name < ?', periodName)
    },
    tenant: () => sql.exec<{ name: string }>('select name from budget_tenant').toArray()[0]?.name ?? '',
    setTenant: (name) => {
      sql.exec('insert or replace into budget_tenant values (1, ?)', name)
    },
    addNews: (news) => {
      sql.exec('insert or ignore into budget_news (id, news) values (?, ?)', news.id, JSON.stringify(news))
    },
    news: (limit) =>
      sql
        .exec<{ news: string }>('select news from budget_news order by number limit ?', limit)
        .toArray()
        .map(({ news }) => JSON.parse(news) as BudgetNews),
    removeNews: (ids) => {
      for (const id of ids) sql.exec('delete from budget_news where id = ?', id)
    },
    clear: () => {
      for (const table of ['budget_told', 'budget_news', 'budget_tenant']) sql.exec(`delete from ${table}`)
    },
  }
}
