import type { Board } from '../board.ts'
import { formatValue, NO_VALUE } from '../format.ts'
import { BURN_WINDOWS, FAST_BURN, OBJECTIVES, type Objective, type ObjectiveState } from '../objectives.ts'
import { el } from './dom.ts'

const WINDOW_WORDS = { '5m': '5 min', '1h': '1 hour', '3h': '3 hours' } as const

/** What was promised, how much of what may go wrong is left, and how fast it goes. */
export function objectivesView(host: HTMLElement) {
  let last = ''
  return {
    show: ({ objectives }: Board) => {
      const text = JSON.stringify(objectives)
      if (text === last) return
      last = text
      const cards = OBJECTIVES.map((objective) =>
        card(
          objective,
          objectives.find(({ code }) => code === objective.code),
        ),
      )
      host.replaceChildren(...cards)
    },
  }
}

function card(
  { code, title, description, target }: Objective,
  state: ObjectiveState | undefined,
): HTMLElement {
  const isEmpty = !state || state.kept === null
  const left = state?.budgetLeft ?? null
  const meter = el('div', { class: 'meter' }, el('span', {}))
  meter.style.setProperty('--part', String(Math.min(1, Math.max(0, left ?? 0))))
  const facts = el(
    'dl',
    { class: 'facts' },
    ...fact('Objective', formatValue(target, 'percentunit')),
    ...fact('Kept today', formatValue(state?.kept, 'percentunit')),
    ...fact('Counted today', formatValue(state?.counted, 'short')),
  )
  return el(
    'section',
    {
      class: `panel objective${(left ?? 1) <= 0 ? ' bad' : ''}${isEmpty ? ' is-empty' : ''}`,
      'aria-labelledby': `o-${code}`,
      'data-objective': code,
    },
    el(
      'header',
      {},
      el('h3', { id: `o-${code}` }, title),
      el(
        'p',
        { class: 'value' },
        isEmpty ? '' : left !== null && left < 0 ? 'Used up' : formatValue(left, 'percentunit'),
      ),
    ),
    el('p', { class: 'about' }, description),
    isEmpty &&
      el('p', { class: 'empty' }, 'Nothing was counted today, UTC. It fills with the first request.'),
    !isEmpty && el('p', { class: 'caption' }, 'Error budget left today (UTC)'),
    !isEmpty && meter,
    !isEmpty && facts,
    !isEmpty && burnTable(state),
  )
}

const fact = (name: string, value: string) => [el('dt', {}, name), el('dd', {}, value)]

function burnTable({ burn }: ObjectiveState): HTMLElement {
  const cells = BURN_WINDOWS.map((window) => {
    const pace = burn[window]
    const text = pace === null ? NO_VALUE : `${formatValue(pace, 'short')}×`
    const state = pace === null ? '' : pace >= FAST_BURN ? 'fast' : pace > 1 ? 'over' : ''
    const word = state === 'fast' ? ' look now' : state === 'over' ? ' too fast' : ''
    return el('td', { class: `number ${state}` }, text, word !== '' && el('span', { class: 'share' }, word))
  })
  return el(
    'table',
    { class: 'burn' },
    el('caption', {}, 'How fast the budget goes; at 1× it lasts exactly its time'),
    el(
      'thead',
      {},
      el(
        'tr',
        {},
        ...BURN_WINDOWS.map((window) => el('th', { scope: 'col', class: 'number' }, WINDOW_WORDS[window])),
      ),
    ),
    el('tbody', {}, el('tr', {}, ...cells)),
  )
}
