import type { Board } from '../board.ts'
import { formatValue } from '../format.ts'
import { panelOf, VITALS } from '../tabs.ts'
import { sparkPoints } from './chart.ts'
import { el, setText, svg } from './dom.ts'

const WIDTH = 120
const HEIGHT = 28

const NAMES: Readonly<Record<(typeof VITALS)[number], string>> = {
  P1: 'Requests',
  P3: 'P95 latency',
  P5: 'Errors',
  C1: 'Cache hits',
  K1: 'Cost a day',
}

/** What stands above every tab: the figures that somebody on call looks at first. */
export function vitals(host: HTMLElement) {
  const shown = VITALS.flatMap((code) => {
    const panel = panelOf(code)
    if (!panel) return []
    const value = el('dd', { 'data-vital': code })
    const line = svg('polyline', { points: '' })
    const spark = svg('svg', {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: 'none',
      'aria-hidden': 'true',
    })
    spark.append(line)
    const box = el('div', { class: 'vital' }, el('dt', {}, NAMES[code]), value)
    box.append(spark)
    return [{ panel, value, line, box }]
  })
  const budget = el('dd', { 'data-vital': 'budget' })
  const budgetBox = el('div', { class: 'vital' }, el('dt', {}, 'Error budget left today'), budget)
  host.append(el('dl', {}, ...shown.map(({ box }) => box), budgetBox))
  return {
    show: (board: Board) => {
      for (const { panel, value, line, box } of shown) {
        const [row] = board.panel(panel.code).rows
        setText(value, formatValue(row?.now, panel.unit))
        line.setAttribute('points', sparkPoints(row?.values ?? [], WIDTH, HEIGHT))
        box.classList.toggle('bad', panel.line !== undefined && (row?.now ?? 0) > panel.line)
      }
      const left = board.objectives.find(({ code }) => code === 'availability')?.budgetLeft
      setText(
        budget,
        formatValue(left === null || left === undefined ? left : Math.max(0, left), 'percentunit'),
      )
      budgetBox.classList.toggle('bad', (left ?? 1) <= 0)
    },
  }
}
