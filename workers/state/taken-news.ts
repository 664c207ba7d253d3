import type { Notice } from '../../src/metrics/alert-notices.ts'
import type { Channel } from '../../src/metrics/alert-rules.ts'

/** News of budgets that the hub took, so that none is told twice; with those channels that were off. */
export interface TakenNews {
  /** @returns false where it was taken before */
  take(id: string, nowMs: number, notice: Notice, channels: readonly Channel[]): boolean
  /** In their order: taken since then, and not handed to all of their channels yet. */
  waiting(sinceMs: number): readonly {
    readonly id: string
    readonly notice: Notice
    readonly channels: readonly Channel[]
  }[]
  /** The channels that it still waits for. */
  keep(id: string, channels: readonly Channel[]): void
  /** What nobody is told any more keeps its id only; what is older than anybody repeats goes. */
  tidy(untoldMs: number, knownMs: number): void
}

export function sqlTakenNews(sql: SqlStorage): TakenNews {
  sql.exec(
    'create table if not exists taken_news (number integer primary key autoincrement, id text not null unique, at_ms integer not null, notice text not null, channels text not null)',
  )
  sql.exec('create index if not exists taken_news_at on taken_news (at_ms)')
  const isKnown = (id: string) => sql.exec('select id from taken_news where id = ?', id).toArray().length > 0
  return {
    take: (id, nowMs, notice, channels) => {
      if (isKnown(id)) return false
      sql.exec(
        'insert into taken_news (id, at_ms, notice, channels) values (?, ?, ?, ?)',
        ...[id, nowMs, JSON.stringify(notice), channels.join(' ')],
      )
      return true
    },
    waiting: (sinceMs) =>
      sql
        .exec<{ id: string; notice: string; channels: string }>(
          `select id, notice, channels from taken_news where at_ms > ? and channels <> '' order by number`,
          sinceMs,
        )
        .toArray()
        .map(({ id, notice, channels }) => ({
          id,
          notice: JSON.parse(notice) as Notice,
          channels: channels.split(' ') as Channel[],
        })),
    keep: (id, channels) => {
      if (channels.length > 0)
        sql.exec('update taken_news set channels = ? where id = ?', channels.join(' '), id)
      else sql.exec(`update taken_news set channels = '', notice = '' where id = ?`, id)
    },
    tidy: (untoldMs, knownMs) => {
      sql.exec('delete from taken_news where at_ms <= ?', knownMs)
      sql.exec(
        `update taken_news set channels = '', notice = '' where at_ms <= ? and channels <> ''`,
        untoldMs,
      )
    },
  }
}
