import type { ShownPanel } from '../board.ts'
import { type Span, spanAt } from '../drill-down.ts'
import { formatValue } from '../format.ts'
import type { PagePanel } from '../tabs.ts'
import { el } from './dom.ts'
import { nameOf } from './panel-card.ts'

const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short', hourCycle: 'h23' })
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
const MINUTE_S = 60

/**
 * The chart's values for those who do not see it: a row a minute or step, the latest first. Made when it is opened.
 * @param open called with the time whose requests are wanted
 */
export function timeTable(panel: PagePanel, open: (span: Span) => void) {
  const box = el('div', {
    class: 'scroll',
    tabindex: 0,
    role: 'group',
    'aria-label': `Table: ${panel.title}`,
  })
  const element = el('details', { class: 'as-table' }, el('summary', {}, 'Table'), box)
  let last: ShownPanel | undefined
  let isLong = false
  let drawn = ''
  const draw = () => {
    if (!last || !element.open) return
    const latestS = last.times.findLast((time) => isLong || time % MINUTE_S === 0)
    // Once a minute is enough, and whoever reads it keeps the place.
    const times = `${isLong} ${last.times.length > 0 && isLong && last.times[0]} ${latestS}`
    if (times === drawn && box.childElementCount > 0) return
    drawn = times
    box.replaceChildren(tableOf(panel, last, isLong, open))
  }
  element.addEventListener('toggle', draw)
  return {
    element,
    show: (shown: ShownPanel, ofDays: boolean) => {
      last = shown
      isLong = ofDays
      draw()
    },
  }
}

function tableOf(
  panel: PagePanel,
  { times, rows }: ShownPanel,
  isLong: boolean,
  open: (span: Span) => void,
): HTMLElement {
  const head = ['Time', ...rows.map(nameOf(panel))].map((name) => el('th', { scope: 'col' }, name))
  const cells = (at: number) =>
    rows.map(({ values }) => el('td', { class: 'number' }, formatValue(values[at], panel.unit)))
  const now = rows.map((row) => el('td', { class: 'number' }, formatValue(row.now, panel.unit)))
  const timeCell = (time: number, at: number) => {
    const button = el(
      'button',
      { type: 'button', class: 'link', title: 'List the requests of this time' },
      (isLong ? DATE : CLOCK).format(time * 1_000),
    )
    button.addEventListener('click', () => {
      const span = spanAt(times, at)
      if (span) open(span)
    })
    return el('th', { scope: 'row' }, button)
  }
  const minutes = times.flatMap((time, at) =>
    isLong || time % MINUTE_S === 0 ? [el('tr', {}, timeCell(time, at), ...cells(at))] : [],
  )
  return el(
    'table',
    {},
    el('thead', {}, el('tr', {}, ...head)),
    el(
      'tbody',
      {},
      el('tr', {}, el('th', { scope: 'row' }, isLong ? 'All' : 'Now'), ...now),
      ...minutes.reverse(),
    ),
  )
}
