/** What clients did and saw, and what was done to the workers meanwhile, in the order of time. */
export type HistoryEvent =
  | Invocation
  /** It was acknowledged. `durable`: nothing may lose it; otherwise it may die with the isolate that held it. */
  | {
      readonly type: 'ok'
      readonly op: string
      readonly atMs: number
      readonly id: string
      readonly durable: boolean
    }
  /** It surely did not happen. */
  | { readonly type: 'fail'; readonly op: string; readonly atMs: number }
  /** It may have happened, or may yet. */
  | { readonly type: 'info'; readonly op: string; readonly atMs: number }
  /** The isolate that answers clients was killed. */
  | { readonly type: 'kill'; readonly atMs: number }

export interface Invocation {
  readonly type: 'invoke'
  /** A name that no other operation has. */
  readonly op: string
  readonly kind: 'prediction' | 'feedback'
  readonly tenant: string
  readonly atMs: number
  /** Of feedback: the prediction that it rates. */
  readonly about?: string
  /** No table takes it: its place is among the dead letters. */
  readonly poison?: boolean
}

export interface StoredRow {
  readonly id: string
  readonly op: string
  readonly tenant: string
  /** Of feedback: the prediction that it rates, and whether it was joined to it. */
  readonly about?: string
  readonly matched?: boolean
}

/** All that lies in the tables once everything has come to rest. */
export interface Stored {
  readonly predictions: readonly StoredRow[]
  readonly feedback: readonly StoredRow[]
  readonly buried: readonly StoredRow[]
}

export interface Bounds {
  /** Acknowledged so long before a kill, or later, what is not durable may be lost. */
  readonly windowMs: number
  /** Of such operations at one kill. */
  readonly lostAtOnce: number
}

export interface Finding {
  readonly rule: 'lost' | 'duplicate' | 'phantom' | 'foreign' | 'dangling' | 'buried'
  readonly op: string
  readonly text: string
}

export interface Verdict {
  readonly findings: readonly Finding[]
  /** What was lost within the bounds, for the report. */
  readonly lostWithinBounds: number
  readonly counts: Readonly<Record<'ok' | 'fail' | 'info', number>>
}

type Completion = Exclude<HistoryEvent, Invocation | { type: 'kill' }>

/**
 * Holds what was acknowledged against what is stored: acknowledged is stored, once, under its id and its tenant; what
 * was never asked for, or surely did not happen, is not; feedback belongs to a prediction that is there.
 * @throws RangeError where the history itself is none: then it proves nothing
 */
export function check(history: readonly HistoryEvent[], stored: Stored, bounds: Bounds): Verdict {
  const { invoked, completed, kills, places } = read(history)
  const findings: Finding[] = []
  const find = (rule: Finding['rule'], op: string, text: string) => findings.push({ rule, op, text })
  const tables = [
    ['prediction', stored.predictions],
    ['feedback', stored.feedback],
  ] as const
  const everyRow = [...tables.flatMap(([, rows]) => rows), ...stored.buried]
  const rowsOf = Map.groupBy(everyRow, ({ op }) => op)

  for (const [op, rows] of rowsOf) {
    const asked = invoked.get(op)
    if (!asked) find('phantom', op, 'is stored, and nobody asked for it')
    else if (completed.get(op)?.type === 'fail') find('phantom', op, 'is stored, and surely did not happen')
    if (rows.length > 1) find('duplicate', op, `is stored ${rows.length} times`)
    for (const { tenant } of rows)
      if (asked && tenant !== asked.tenant) find('foreign', op, `of ${asked.tenant} is stored with ${tenant}`)
  }
  for (const [kind, rows] of tables)
    for (const { op } of rows) {
      const asked = invoked.get(op)
      if (asked && asked.kind !== kind) find('phantom', op, `is stored as ${kind}, and is none`)
      if (asked?.poison) find('phantom', op, 'is stored, and no table should take it')
    }
  for (const { op } of stored.buried)
    if (invoked.get(op)?.poison !== true) find('buried', op, 'is buried, and was sound')

  const missing: Missing[] = []
  for (const [op, completion] of completed) {
    if (completion.type !== 'ok') continue
    const rows = rowsOf.get(op) ?? []
    if (rows.some(({ id }) => id === completion.id)) continue
    if (rows.length > 0)
      find('lost', op, `was acknowledged as ${completion.id}, and is stored as ${rows[0]?.id}`)
    else if (completion.durable) find('lost', op, 'was acknowledged as durable, and is not stored')
    else missing.push({ op, invokedAt: places.get(op) ?? 0, okMs: completion.atMs })
  }
  const excused = excuse(missing, kills, bounds)
  for (const { op, okMs } of missing)
    if (!excused.has(op))
      find('lost', op, `was acknowledged at ${okMs}, no kill explains that it is not stored`)

  const present = new Set(stored.predictions.map(({ id }) => id))
  const gone = new Set([...excused].map((op) => idOf(completed.get(op))))
  for (const { op, about = '', matched } of stored.feedback) {
    if (invoked.has(op) && about !== invoked.get(op)?.about) find('dangling', op, `rates ${about} instead`)
    if (!present.has(about) && !gone.has(about)) find('dangling', op, `rates ${about}, which is not stored`)
    if (present.has(about) && !matched) find('dangling', op, `was not joined to ${about}`)
  }
  const counts = { ok: 0, fail: 0, info: 0 }
  for (const { type } of completed.values()) counts[type] += 1
  return { findings, lostWithinBounds: excused.size, counts }
}

const idOf = (completion: Completion | undefined): string => (completion?.type === 'ok' ? completion.id : '')

function read(history: readonly HistoryEvent[]) {
  const invoked = new Map<string, Invocation>()
  const completed = new Map<string, Completion>()
  const places = new Map<string, number>()
  const kills: { readonly index: number; readonly atMs: number }[] = []
  for (const [index, event] of history.entries()) {
    if (event.type === 'kill') kills.push({ index, atMs: event.atMs })
    else if (event.type === 'invoke') {
      if (invoked.has(event.op)) throw new RangeError(`${event.op} was invoked twice`)
      invoked.set(event.op, event)
      places.set(event.op, index)
    } else {
      if (!invoked.has(event.op)) throw new RangeError(`${event.op} ended without having begun`)
      if (completed.has(event.op)) throw new RangeError(`${event.op} ended twice`)
      completed.set(event.op, event)
    }
  }
  for (const op of invoked.keys()) if (!completed.has(op)) throw new RangeError(`${op} never ended`)
  return { invoked, completed, kills, places }
}

/**
 * Which of what is missing may have died with an isolate: begun before the kill, and acknowledged so shortly before it,
 * or later, that it need not have been sent. Each kill takes those that no later one can explain first.
 */
function excuse(
  missing: readonly Missing[],
  kills: readonly { readonly index: number; readonly atMs: number }[],
  { windowMs, lostAtOnce }: Bounds,
): ReadonlySet<string> {
  const excused = new Set<string>()
  const byAge = missing.toSorted((a, b) => a.okMs - b.okMs)
  for (const { index, atMs } of kills) {
    const explained = byAge.filter(
      (each) => !excused.has(each.op) && each.invokedAt < index && each.okMs > atMs - windowMs,
    )
    for (const { op } of explained.slice(0, lostAtOnce)) excused.add(op)
  }
  return excused
}

interface Missing {
  readonly op: string
  /** Its place in the history: a clock tells no order within a millisecond. */
  readonly invokedAt: number
  readonly okMs: number
}
