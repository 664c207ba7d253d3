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
  const { invoked, completed, killsMs } = read(history)
  const findings: Finding[] = []
  const find = (rule: Finding['rule'], op: string, text: string) => findings.push({ rule, op, text })
  const tables = [
    ['prediction', stored.predictions],
    ['feedback', stored.feedback],
  ] as const
  const places = [...tables.flatMap(([, rows]) => rows), ...stored.buried]
  const rowsOf = Map.groupBy(places, ({ op }) => op)

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

  const missing: { readonly op: string; readonly invokedMs: number; readonly okMs: number }[] = []
  for (const [op, completion] of completed) {
    if (completion.type !== 'ok') continue
    const rows = rowsOf.get(op) ?? []
    if (rows.some(({ id }) => id === completion.id)) continue
    if (rows.length > 0)
      find('lost', op, `was acknowledged as ${completion.id}, and is stored as ${rows[0]?.id}`)
    else if (completion.durable) find('lost', op, 'was acknowledged as durable, and is not stored')
    else missing.push({ op, invokedMs: invoked.get(op)?.atMs ?? 0, okMs: completion.atMs })
  }
  const excused = excuse(missing, killsMs, bounds)
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
  const killsMs: number[] = []
  for (const event of history) {
    if (event.type === 'kill') killsMs.push(event.atMs)
    else if (event.type === 'invoke') {
      if (invoked.has(event.op)) throw new RangeError(`${event.op} was invoked twice`)
      invoked.set(event.op, event)
    } else {
      if (!invoked.has(event.op)) throw new RangeError(`${event.op} ended without having begun`)
      if (completed.has(event.op)) throw new RangeError(`${event.op} ended twice`)
      completed.set(event.op, event)
    }
  }
  for (const op of invoked.keys()) if (!completed.has(op)) throw new RangeError(`${op} never ended`)
  return { invoked, completed, killsMs }
}

/** Which of what is missing may have died with an isolate: each is put down to the first kill that it could be. */
function excuse(
  missing: readonly { readonly op: string; readonly invokedMs: number; readonly okMs: number }[],
  killsMs: readonly number[],
  { windowMs, lostAtOnce }: Bounds,
): ReadonlySet<string> {
  const lost = new Map<number, string[]>(killsMs.map((atMs) => [atMs, []]))
  for (const { op, invokedMs, okMs } of missing) {
    const kill = killsMs.find((atMs) => invokedMs <= atMs && okMs > atMs - windowMs)
    if (kill !== undefined) lost.get(kill)?.push(op)
  }
  return new Set([...lost.values()].flatMap((ops) => ops.slice(0, lostAtOnce)))
}
