import * as state from '../../workers/state/index.ts'

// The Durable Objects as they are; what the platform would charge for of them is counted, and told at this worker's address.

export * from '../../workers/state/index.ts'

type Method = (this: unknown, ...args: unknown[]) => unknown
type Methods = Record<string, Method>

let requests = 0
/** Setting an alarm, and writing beside SQL, count as a row. */
let otherRows = 0
/** Asked only at the end: a cursor knows its rows when it has been read. */
const cursors: SqlStorageCursor<Record<string, SqlStorageValue>>[] = []

const before = (methods: Methods, name: string, note: () => void): void => {
  const method = methods[name] as Method
  methods[name] = function (...args) {
    note()
    return method.apply(this, args)
  }
}

let isPatched = false
/** The methods of storage are reached through the first object that has any. */
function countRows({ sql, kv }: DurableObjectStorage, storage: object): void {
  if (isPatched) return
  isPatched = true
  const queries = Object.getPrototypeOf(sql) as Methods
  const exec = queries.exec as Method
  queries.exec = function (...args) {
    const cursor = exec.apply(this, args) as (typeof cursors)[number]
    cursors.push(cursor)
    return cursor
  }
  before(Object.getPrototypeOf(kv) as Methods, 'put', () => otherRows++)
  before(Object.getPrototypeOf(storage) as Methods, 'setAlarm', () => otherRows++)
}

for (const kept of Object.values(state)) {
  if (typeof kept !== 'function') continue
  const methods = kept.prototype as unknown as Methods
  for (const name of Object.getOwnPropertyNames(methods)) {
    if (name === 'constructor' || typeof Object.getOwnPropertyDescriptor(methods, name)?.value !== 'function')
      continue
    const method = methods[name] as Method
    methods[name] = function (...args) {
      requests++
      const { ctx } = this as { readonly ctx: DurableObjectState }
      countRows(ctx.storage, ctx.storage)
      return method.apply(this, args)
    }
  }
}

export default {
  fetch: () => {
    const rows = (of: 'rowsRead' | 'rowsWritten') => cursors.reduce((total, cursor) => total + cursor[of], 0)
    return Response.json({
      'object request': requests,
      'row read': rows('rowsRead'),
      'row written': rows('rowsWritten') + otherRows,
    })
  },
} satisfies ExportedHandler
