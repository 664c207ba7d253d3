import type { ShownPanel } from '../board.ts'
import { formatValue } from '../format.ts'
import type { PagePanel } from '../tabs.ts'
import { el } from './dom.ts'
import { nameOf } from './panel-card.ts'

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
const MINUTE_S = 60

/** The chart's values for those who do not see it: a row a minute, the latest first. Made when it is opened. */
export function timeTable(panel: PagePanel) {
  const box = el('div', {
    class: 'scroll',
    tabindex: 0,
    role: 'group',
    'aria-label': `Table: ${panel.title}`,
  })
  const element = el('details', { class: 'as-table' }, el('summary', {}, 'Table'), box)
  let last: ShownPanel | undefined
  let drawnS = -1
  const draw = () => {
    if (!last || !element.open) return
    const latestS = last.times.findLast((time) => time % MINUTE_S === 0) ?? 0
    // Once a minute is enough, and whoever reads it keeps the place.
    if (latestS === drawnS && box.childElementCount > 0) return
    drawnS = latestS
    box.replaceChildren(tableOf(panel, last))
  }
  element.addEventListener('toggle', draw)
  return {
    element,
    show: (shown: ShownPanel) => {
      last = shown
      draw()
    },
  }
}

function tableOf(panel: PagePanel, { times, rows }: ShownPanel): HTMLElement {
  const head = ['Time', ...rows.map(nameOf(panel))].map((name) => el('th', { scope: 'col' }, name))
  const cells = (at: number) =>
    rows.map(({ values }) => el('td', { class: 'number' }, formatValue(values[at], panel.unit)))
  const now = rows.map((row) => el('td', { class: 'number' }, formatValue(row.now, panel.unit)))
  const minutes = times.flatMap((time, at) =>
    time % MINUTE_S === 0
      ? [el('tr', {}, el('th', { scope: 'row' }, CLOCK.format(time * 1_000)), ...cells(at))]
      : [],
  )
  return el(
    'table',
    {},
    el('thead', {}, el('tr', {}, ...head)),
    el('tbody', {}, el('tr', {}, el('th', { scope: 'row' }, 'Now'), ...now), ...minutes.reverse()),
  )
}
