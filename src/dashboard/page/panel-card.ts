import type { ShownPanel, ShownRow } from '../board.ts'
import type { Span } from '../drill-down.ts'
import { formatValue, NO_VALUE, rowName } from '../format.ts'
import type { PagePanel } from '../tabs.ts'
import { bars } from './bars.ts'
import { type Chart, lineChart } from './chart.ts'
import { chartPointer } from './chart-pointer.ts'
import { el, setText } from './dom.ts'
import { boundText, heatmap } from './heatmap.ts'
import { legend } from './legend.ts'
import { timeTable } from './time-table.ts'

/** What stands around the figures of a panel. */
export interface Frame {
  readonly fromS: number
  readonly toS: number
  /** What a reader could otherwise take for something else. */
  readonly remark: string
  /** Stands where there is nothing to show. */
  readonly empty: string
  /** Days rather than minutes: times need their date, and a figure is of all of it. */
  readonly isLong: boolean
}

export interface Card {
  readonly element: HTMLElement
  show(shown: ShownPanel, frame: Frame): void
  repaint(): void
  close(): void
}

export const hasValue = ({ rows }: ShownPanel): boolean =>
  rows.some(({ now, values }) => now !== null || values.some((value) => value !== null))

export const nameOf = (panel: PagePanel) => {
  const { kind, by } = panel
  return ({ labels }: ShownRow): string =>
    kind === 'heatmap' ? boundText(labels[0] ?? '', panel) : rowName(labels, by) || panel.title
}

/**
 * One panel: a title, its figure, and the same as a table.
 * @param open called with the time whose requests are wanted
 */
export function panelCard(panel: PagePanel, open: (span: Span) => void): Card {
  const title = `${panel.code}-title`
  const value = el('p', { class: 'value' })
  const note = el('p', { class: 'note', hidden: true })
  const empty = el('p', { class: 'empty', hidden: true })
  const body = el('div', { class: 'body' })
  const element = el(
    'section',
    {
      class: panel.hasTrend ? 'panel' : `panel ${panel.kind}`,
      'aria-labelledby': title,
      'data-panel': panel.code,
    },
    el('header', {}, el('h3', { id: title }, panel.title), value),
    el('p', { class: 'about' }, panel.description),
    note,
    empty,
    body,
  )
  const parts = panel.hasTrend ? drawn(panel, body, value, open) : listed(panel, body, value)
  return {
    element,
    show: (shown, frame) => {
      const isEmpty = !hasValue(shown)
      empty.hidden = !isEmpty
      body.hidden = isEmpty
      element.classList.toggle('is-empty', isEmpty)
      note.hidden = frame.remark === ''
      setText(note, frame.remark)
      if (isEmpty) {
        setText(empty, frame.empty)
        setText(value, '')
      } else parts.show(shown, frame)
    },
    repaint: () => parts.repaint(),
    close: () => parts.close(),
  }
}

interface Parts {
  show(shown: ShownPanel, frame: Frame): void
  repaint(): void
  close(): void
}

function drawn(panel: PagePanel, body: HTMLElement, value: HTMLElement, open: (span: Span) => void): Parts {
  let last: ShownPanel | undefined
  let isLong = false
  let at: number | undefined
  const host = el('div', { class: 'chart' })
  const key = legend(panel)
  const table = timeTable(panel, open)
  const list = el(
    'button',
    { type: 'button', class: 'link', 'aria-label': `Requests: ${panel.title}` },
    'Requests',
  )
  body.append(host, key.element, el('div', { class: 'under' }, list, table.element))
  const label = () => {
    if (!last) return
    key.show(last, at, isLong)
    const [only] = last.rows
    const isOne = last.rows.length === 1 && panel.kind !== 'heatmap' && only
    setText(value, isOne ? formatValue(at === undefined ? only.now : only.values[at], panel.unit) : '')
  }
  const pointed = (index: number | undefined) => {
    at = index
    label()
  }
  const chart: Chart = panel.kind === 'heatmap' ? heatmap(host, panel) : lineChart(host, panel, pointed)
  const pointer = chartPointer(host, panel, chart, pointed, open)
  list.addEventListener('click', () => {
    const span = pointer.span()
    if (span) open(span)
  })
  return {
    show: (shown, frame) => {
      last = shown
      isLong = frame.isLong
      chart.show(shown, frame.fromS, frame.toS)
      table.show(shown, isLong)
      pointer.show(shown.times)
      label()
    },
    repaint: () => {
      chart.repaint()
      label()
    },
    close: () => chart.close(),
  }
}

function listed(panel: PagePanel, body: HTMLElement, value: HTMLElement): Parts {
  const isOne = panel.kind === 'stat' || panel.kind === 'gauge'
  const list = isOne ? undefined : bars(panel)
  const meter = el('div', { class: 'meter' }, el('span', {}))
  if (list) body.append(list.element)
  else body.append(value)
  if (panel.kind === 'gauge') body.append(meter)
  return {
    show: (shown) => {
      if (list) return list.show(shown)
      const now = shown.rows[0]?.now
      setText(value, formatValue(now, panel.unit))
      meter.style.setProperty('--part', String(Math.min(1, Math.max(0, now ?? 0))))
    },
    repaint: () => {},
    close: () => setText(value, NO_VALUE),
  }
}
