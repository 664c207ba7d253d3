import type { AlertOutbox } from '../../src/metrics/alert-delivery/courier.ts'
import type { Notice } from '../../src/metrics/alert-notices.ts'

/** What channels are still to be told, as a table: its numbers rise for good. */
export function sqlOutbox(sql: SqlStorage): AlertOutbox {
  sql.exec(
    'create table if not exists alert_outbox (number integer primary key autoincrement, channel text not null, id text not null, notice text not null, unique (channel, id))',
  )
  return {
    put: ({ channel, notice }) =>
      void sql.exec(
        'insert or ignore into alert_outbox (channel, id, notice) values (?, ?, ?)',
        channel,
        `${notice.kind} ${notice.id}`,
        JSON.stringify(notice),
      ),
    first: (channel) => {
      const [row] = [
        ...sql.exec<{ number: number; notice: string }>(
          'select number, notice from alert_outbox where channel = ? order by number limit 1',
          channel,
        ),
      ]
      return row && { number: row.number, notice: JSON.parse(row.notice) as Notice }
    },
    remove: (number) => void sql.exec('delete from alert_outbox where number = ?', number),
    count: (channel) => {
      const rows = sql.exec<{ n: number }>(
        'select count(*) as n from alert_outbox where channel = ?',
        channel,
      )
      return [...rows][0]?.n ?? 0
    },
  }
}
