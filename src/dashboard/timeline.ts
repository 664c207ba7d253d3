import type { Live } from '../metrics/batch.ts'
import { CATALOGUE, type FamilyName, familyOf, isFamily, PREFIX } from '../metrics/catalogue.ts'
import { baseName, readSeries, ZEROS } from '../metrics/catalogue-limits.ts'
import type { MinuteSlot } from '../metrics/rings.ts'
import { type SketchData, sketchOf } from '../metrics/sketch.ts'
import type { HistogramCounts } from '../metrics/snapshot.ts'

/** One series over time: what was added in each minute, and since the last of them. */
export interface Line {
  readonly labels: Readonly<Record<string, string>>
  /** What was added before each minute's start; one more than there are minutes. */
  readonly before: Float64Array
  readonly open: number
  /** Stands for something that has not happened yet: it is 0, whoever is asked for. */
  readonly isZero: boolean
}

export type HistogramPart = 'bucket' | 'sum' | 'count'

/** What a name in a query means. */
export interface Meaning {
  readonly family: FamilyName
  readonly part: HistogramPart | undefined
}

const PART = /_(bucket|sum|count)$/

/** @param name as it is exposed; undefined for one that the catalogue does not have */
export function meaningOf(name: string): Meaning | undefined {
  const plain = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name
  if (isFamily(plain)) return { family: plain, part: undefined }
  const family = plain.replace(PART, '')
  if (!isFamily(family) || CATALOGUE[family].type !== 'histogram') return undefined
  return { family, part: PART.exec(plain)?.[1] as HistogramPart }
}

/** The minutes that are over: read once a minute, whoever looks. */
export class PastMinutes {
  readonly count: number
  /** The minute that follows the last of them, since the epoch. */
  readonly endMinute: number
  readonly #slots: readonly { readonly minute: number; readonly amounts: ByFamily }[]
  readonly #columns = new Map<string, ReadonlyMap<string, Float64Array>>()

  constructor(slots: readonly MinuteSlot[], endMinute: number, count: number) {
    this.#slots = slots
      .filter(({ minute }) => minute >= endMinute - count && minute < endMinute)
      .map(({ minute, amounts }) => ({ minute, amounts: new ByFamily(amounts) }))
    this.endMinute = endMinute
    this.count = count
  }

  /** Amounts by series, one a minute; of histograms a series for each bucket, its sum and its count. */
  columns(family: FamilyName): ReadonlyMap<string, Float64Array> {
    const known = this.#columns.get(family)
    if (known) return known
    const columns = new Map<string, Float64Array>()
    const first = this.endMinute - this.count
    for (const { minute, amounts } of this.#slots)
      amounts.each(family, (key, amount) => {
        let column = columns.get(key)
        if (!column) {
          column = new Float64Array(this.count + 1)
          columns.set(key, column)
        }
        column[minute - first + 1] = amount
      })
    // From amounts to what was there before.
    for (const column of columns.values())
      for (let i = 1; i < column.length; i++) column[i] = (column[i] ?? 0) + (column[i - 1] ?? 0)
    this.#columns.set(family, columns)
    return columns
  }
}

type Counted = Pick<Live['window']['amounts'], 'counters' | 'histograms'>

/** Keys of histograms are `part le series`. */
type Take = (key: string, amount: number) => void

/** The same amounts by family, so that nobody has to look through all of them. */
class ByFamily {
  readonly #counters = new Map<string, [string, number][]>()
  readonly #histograms = new Map<string, [string, HistogramCounts][]>()

  constructor({ counters, histograms }: Counted) {
    for (const entry of Object.entries(counters)) pushTo(this.#counters, baseName(entry[0]), entry)
    for (const entry of Object.entries(histograms)) pushTo(this.#histograms, baseName(entry[0]), entry)
  }

  each(family: FamilyName, take: Take): void {
    for (const [series, amount] of this.#counters.get(family) ?? []) take(series, amount)
    const rule = familyOf(family)
    if (rule.type !== 'histogram') return
    for (const [series, { counts, sum }] of this.#histograms.get(family) ?? []) {
      let below = 0
      for (const [i, count] of counts.entries()) {
        below += count
        take(`bucket ${rule.buckets[i] ?? '+Inf'} ${series}`, below)
      }
      take(`sum  ${series}`, sum)
      take(`count  ${series}`, below)
    }
  }
}

function pushTo<T>(lists: Map<string, T[]>, name: string, item: T): void {
  const list = lists.get(name)
  if (list) list.push(item)
  else lists.set(name, [item])
}

/** All that was counted: minutes that are over, what came since, and gauges as they stand. */
export class Timeline {
  readonly past: PastMinutes
  readonly nowMs: number
  /** Since the last whole minute. */
  readonly openSeconds: number
  readonly gauges: Live['gauges']
  readonly #open: ByFamily
  /** Of the open time and the minute before it, as far as they are known. */
  readonly #sketches: readonly Readonly<Record<string, SketchData>>[]
  readonly #lines = new Map<string, readonly Line[]>()

  constructor(
    past: PastMinutes,
    open: Counted,
    gauges: Live['gauges'],
    nowMs: number,
    sketches: readonly Readonly<Record<string, SketchData>>[] = [],
  ) {
    this.past = past
    this.#open = new ByFamily(open)
    this.gauges = gauges
    this.nowMs = nowMs
    this.openSeconds = Math.max(0, nowMs / 1_000 - past.endMinute * 60)
    this.#sketches = sketches
  }

  /** Of a counter or of one part of a histogram. */
  lines({ family, part }: Meaning): readonly Line[] {
    const name = `${part ?? ''} ${family}`
    const known = this.#lines.get(name)
    if (known) return known
    const lines = this.#linesOf(family, part)
    this.#lines.set(name, lines)
    return lines
  }

  #linesOf(family: FamilyName, part: HistogramPart | undefined): Line[] {
    const columns = this.past.columns(family)
    const open = new Map<string, number>()
    this.#open.each(family, (key, amount) => open.set(key, amount))
    const lines = [...new Set([...columns.keys(), ...open.keys()])].flatMap((key) => {
      const labels = labelsOf(key, part)
      if (!labels) return []
      const before = columns.get(key) ?? new Float64Array(this.past.count + 1)
      return [{ labels, before, open: open.get(key) ?? 0, isZero: false }]
    })
    return lines.length > 0 && !part ? [...lines, ...this.#zeros(family)] : lines
  }

  /** What the exposition begins with, for a family that has begun. */
  #zeros(family: FamilyName): Line[] {
    const before = new Float64Array(this.past.count + 1)
    return Object.keys(ZEROS.counters).flatMap((series) =>
      baseName(series) === family
        ? [{ labels: readSeries(series)?.labels ?? {}, before, open: 0, isZero: true }]
        : [],
    )
  }

  /** From the sketches of the last one or two minutes. @returns undefined where too little was seen to tell */
  quantile(family: FamilyName, wanted: (labels: Line['labels']) => boolean, q: number): number | undefined {
    const sketch = sketchOf(
      ...this.#sketches.flatMap((sketches) =>
        Object.entries(sketches).flatMap(([series, data]) =>
          baseName(series) === family && wanted(readSeries(series)?.labels ?? {}) ? [data] : [],
        ),
      ),
    )
    return sketch.count >= ENOUGH ? sketch.quantile(q) : undefined
  }
}

/** With fewer, buckets tell as much. */
const ENOUGH = 100

function labelsOf(key: string, part: HistogramPart | undefined): Line['labels'] | undefined {
  if (!part) return readSeries(key)?.labels
  const [keyPart = '', le = ''] = key.split(' ', 2)
  if (keyPart !== part) return undefined
  const labels = readSeries(key.slice(keyPart.length + le.length + 2))?.labels
  return labels && (part === 'bucket' ? { ...labels, le } : labels)
}

export const hasLabel = (family: FamilyName, label: string): boolean =>
  Object.hasOwn(familyOf(family).labels, label)

/** The names that a label has in what is known. */
export function valuesOf(timeline: Timeline, family: FamilyName, label: string): string[] {
  const found = new Set(timeline.lines({ family, part: undefined }).map(({ labels }) => labels[label] ?? ''))
  return [...found].filter((value) => value !== '' && value !== 'none').sort()
}
