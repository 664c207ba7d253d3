import type { ShownPanel } from '../board.ts'
import { formatValue } from '../format.ts'
import type { PagePanel } from '../tabs.ts'
import { COLOURS } from './chart.ts'
import { el, setText } from './dom.ts'
import { nameOf } from './panel-card.ts'

const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium', hourCycle: 'h23' })
const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short', hourCycle: 'h23' })

/** What each line is called, and its value now or at the time that is pointed at. */
export function legend(panel: PagePanel) {
  const list = el('ul', { class: 'legend' })
  const time = el('p', { class: 'time' })
  const element = el('div', { class: 'key' }, time, list)
  let names = ''
  return {
    element,
    show: ({ rows, times }: ShownPanel, at: number | undefined, isLong: boolean) => {
      const isOne = rows.length < 2 || panel.kind === 'heatmap'
      const atS = at === undefined ? undefined : times[at]
      setText(time, atS === undefined ? '' : (isLong ? DATE : TIME).format(atS * 1_000))
      list.hidden = isOne
      if (isOne) return
      const now = rows.map(nameOf(panel))
      if (now.join('\n') !== names) {
        names = now.join('\n')
        list.replaceChildren(
          ...now.map((name, i) =>
            el(
              'li',
              { class: `line-${(i % COLOURS) + 1}` },
              el('span', { class: 'name' }, name),
              el('span', { class: 'amount' }),
            ),
          ),
        )
      }
      for (const [i, value] of [...list.querySelectorAll('.amount')].entries()) {
        const row = rows[i]
        setText(value, formatValue(at === undefined ? row?.now : row?.values[at], panel.unit))
      }
    },
  }
}
