import { BOUND_TEXTS } from './bound-table.ts'
import { matches } from './match.ts'
import { dashedDates, listedName } from './names.ts'
import type { Bounds } from './prices.ts'
import type { BoundRow, RateBound } from './rate-bound.ts'

/**
 * The most that the listed models charge, from a table small enough for the gateway: it holds what a reservation
 * needs, and nothing by which an answer is priced. A provider's part is read when it is first asked for.
 */
export function listBounds(texts: Readonly<Record<string, string>> = BOUND_TEXTS): Bounds {
  const tables = new Map<string, readonly BoundRow[]>()
  const rowsOf = (name: string): readonly BoundRow[] => {
    const known = tables.get(name)
    if (known) return known
    const rows = Object.hasOwn(texts, name) ? (JSON.parse(texts[name] ?? '[]') as BoundRow[]) : []
    if (rows.length > 0) tables.set(name, rows)
    return rows
  }
  return {
    boundOf(providerId, model) {
      const rows = rowsOf(listedName(providerId))
      const name = model.toLowerCase().trim()
      return find(rows, name) ?? find(rows, dashedDates(name))
    },
  }
}

function find(rows: readonly BoundRow[], name: string): RateBound | undefined {
  for (const [rule, inputUsdPerMTok, outputUsdPerMTok, requestUsd = 0] of rows) {
    if (typeof rule === 'string' ? rule === name : matches(rule, name))
      return { inputUsdPerMTok, outputUsdPerMTok, requestUsd }
  }
  return undefined
}
