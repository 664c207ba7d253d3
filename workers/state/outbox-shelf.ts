import type { Shelf, Shelved } from '../../src/feedback/courier.ts'

/** The outbox as a table. Without rowid, so that a parcel is one row written, not two. */
export function sqlShelf(sql: SqlStorage): Shelf {
  sql.exec(
    'create table if not exists outbox (id text primary key, text text not null, due_ms integer not null) without rowid',
  )
  const one = (query: string): number | null =>
    Object.values(sql.exec<Record<string, number | null>>(query).one())[0] ?? null
  return {
    put: ({ id, text, dueMs }) =>
      sql
        .exec('insert into outbox values (?, ?, ?) on conflict do nothing returning 1', id, text, dueMs)
        .toArray().length > 0,
    replace: ({ id, text }) =>
      sql
        .exec('update outbox set text = ?, due_ms = 0 where id = ? and due_ms > 0 returning 1', text, id)
        .toArray().length > 0,
    waiting: (id) =>
      sql.exec<{ text: string }>('select text from outbox where id = ? and due_ms > 0', id).toArray()[0]
        ?.text,
    due: (nowMs, limit) =>
      sql
        .exec<{ id: string; text: string; dueMs: number }>(
          'select id, text, due_ms as dueMs from outbox where due_ms <= ? limit ?',
          nowMs,
          limit,
        )
        .toArray() satisfies Shelved[],
    remove: (parcels) => {
      for (const { id, dueMs } of parcels)
        sql.exec('delete from outbox where id = ? and due_ms = ?', id, dueMs)
    },
    count: () => one('select count(*) from outbox') ?? 0,
    firstDueMs: () => one('select min(due_ms) from outbox') ?? undefined,
  }
}
