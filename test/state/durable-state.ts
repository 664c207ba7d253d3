import { DatabaseSync } from 'node:sqlite'

/** The storage of one object, on the same SQLite, for what cannot be waited for in workerd: hours, and many objects. */
export interface FakeState {
  readonly ctx: DurableObjectState
  readonly rows: (table: string) => number
  /** Statements that were run. */
  readonly statements: () => number
  readonly alarmMs: () => number | null
  /** Its time has come. */
  readonly clearAlarm: () => void
}

export function durableState(id: string): FakeState {
  const db = new DatabaseSync(':memory:')
  const prepared = new Map<string, ReturnType<DatabaseSync['prepare']>>()
  let alarmMs: number | null = null
  let statements = 0
  const sql = {
    exec: (query: string, ...values: (string | number)[]) => {
      statements += 1
      const statement = prepared.get(query) ?? db.prepare(query)
      prepared.set(query, statement)
      const rows = statement.all(...values)
      return Object.assign(rows, { toArray: () => rows, one: () => rows[0] })
    },
  }
  const values = new Map<string, unknown>()
  const storage = {
    sql,
    kv: {
      get: (name: string) => values.get(name),
      put: (name: string, value: unknown) => values.set(name, value),
    },
    getAlarm: async () => alarmMs,
    setAlarm: async (atMs: number) => {
      alarmMs = atMs
    },
  }
  return {
    ctx: {
      id: { toString: () => id },
      storage,
      waitUntil: () => {},
      getWebSockets: () => [],
    } as unknown as DurableObjectState,
    rows: (table) => Number(db.prepare(`select count(*) as n from ${table}`).get()?.n),
    statements: () => statements,
    alarmMs: () => alarmMs,
    clearAlarm: () => {
      alarmMs = null
    },
  }
}
