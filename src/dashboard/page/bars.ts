import type { ShownPanel } from '../board.ts'
import { formatValue } from '../format.ts'
import type { PagePanel } from '../tabs.ts'
import { el } from './dom.ts'
import { nameOf } from './panel-card.ts'

/** Rows with a bar each, as a table. Of parts of one the bar is the part, otherwise it is beside the largest. */
export function bars(panel: PagePanel) {
  // Without labels to tell rows apart, a row says all in its name.
  const hasValues = panel.by.length > 0
  const head = el(
    'tr',
    {},
    el('th', { scope: 'col' }, headOf(panel)),
    el('th', { scope: 'col', class: 'number' }, 'Value'),
  )
  const rows = el('tbody')
  const element = el(
    'div',
    { class: 'scroll', tabindex: 0, role: 'group', 'aria-label': `Table: ${panel.title}` },
    el('table', { class: hasValues ? 'bars' : 'bars names' }, el('thead', {}, head), rows),
  )
  const isShare = panel.kind === 'piechart'
  let last = ''
  return {
    element,
    show: (shown: ShownPanel) => {
      const text = JSON.stringify(shown.rows)
      if (text === last) return
      last = text
      const total = shown.rows.reduce((sum, { now }) => sum + (now ?? 0), 0)
      const most = panel.unit === 'percentunit' ? 1 : Math.max(...shown.rows.map(({ now }) => now ?? 0))
      rows.replaceChildren(
        ...shown.rows.map((row) => {
          const part = hasValues ? (row.now ?? 0) / ((isShare ? total : most) || 1) : 0
          const cell = el('th', { scope: 'row' }, el('span', { class: 'name' }, nameOf(panel)(row)))
          cell.style.setProperty('--part', String(Math.min(1, part)))
          const share =
            isShare && total > 0 && el('span', { class: 'share' }, formatValue(part, 'percentunit'))
          return el('tr', {}, cell, el('td', { class: 'number' }, formatValue(row.now, panel.unit), share))
        }),
      )
    },
  }
}

const headOf = ({ by }: PagePanel): string => {
  const text = by.join(', ') || 'version, commit'
  return text.charAt(0).toUpperCase() + text.slice(1)
}
