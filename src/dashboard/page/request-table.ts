import type { RequestSummary } from '../../feedback/request-story.ts'
import { LIST_HEAD, listCells } from '../request-words.ts'
import { el } from './dom.ts'

const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium', hourCycle: 'h23' })

/**
 * Requests, a row each. Roles are said outright: on a phone its rows are no rows to a style sheet.
 * @param open called with the id of the one that is wanted, and with what asked for it
 */
export function requestTable(open: (id: string, from: HTMLElement) => void) {
  const body = el('tbody', { role: 'rowgroup' })
  const head = LIST_HEAD.map((name) => el('th', { role: 'columnheader', scope: 'col' }, name))
  const element = el(
    'table',
    { role: 'table', 'aria-label': 'Requests, newest first', hidden: true },
    el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, ...head)),
    body,
  )
  const rowOf = (row: RequestSummary) => {
    const time = el(
      'button',
      { type: 'button', class: 'link', title: 'What became of it' },
      TIME.format(Date.parse(row.created_at)),
    )
    const cells = listCells(row).map((text, at) => {
      const name = LIST_HEAD[at + 1] ?? ''
      return el('td', { role: 'cell', class: `cell-${name.toLowerCase()}` }, text)
    })
    const line = el(
      'tr',
      { role: 'row', class: row.outcome === 'success' ? undefined : 'failed' },
      el('th', { role: 'rowheader', scope: 'row' }, time),
      ...cells,
    )
    // The whole row for a pointer, the button for everybody else; a selection of text is no click.
    line.addEventListener('click', () => {
      if (getSelection()?.isCollapsed !== false) open(row.id, time)
    })
    return { line, time }
  }
  return {
    element,
    clear: () => {
      body.replaceChildren()
      element.hidden = true
    },
    /** @returns what opens the first of them */
    add: (rows: readonly RequestSummary[]): HTMLElement | undefined => {
      const made = rows.map(rowOf)
      body.append(...made.map(({ line }) => line))
      element.hidden = body.childElementCount === 0
      return made[0]?.time
    },
    count: () => body.childElementCount,
  }
}
