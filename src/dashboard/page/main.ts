import { Board } from '../board.ts'
import { TABS, type TabCode, tabOf } from '../tabs.ts'
import { FIRST_VIEW, type View } from '../view.ts'
import { alertsView } from './alerts-view.ts'
import { Connection, type LiveState } from './connection.ts'
import { choiceRow, tabRow } from './controls.ts'
import { byId, el, setText } from './dom.ts'
import { objectivesView } from './objectives-view.ts'
import { type Card, panelCard } from './panel-card.ts'
import { requestsDialog } from './requests-dialog.ts'
import { vitals } from './vitals.ts'

const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium', hourCycle: 'h23' })

const board = new Board()
let view: View = { ...FIRST_VIEW, tab: tabOfAddress() ?? FIRST_VIEW.tab }
let cards: Card[] = []

const live = byId('live')
const trouble = byId('trouble')
const panels = byId('panels')
const glance = vitals(byId('vitals'))
const alerts = alertsView(byId('alerts'))
const requests = requestsDialog(() => view.filter)
let objectives = objectivesView(panels)
const tabs = tabRow(byId('tabs'), panels, (tab) => change({ ...view, tab }))
const choices = choiceRow(byId('choices'), () => view, change)

function change(next: View): void {
  const isOtherTab = next.tab !== view.tab
  view = next
  if (isOtherTab) {
    history.replaceState(null, '', `#${addressOf(view.tab)}`)
    fill()
  }
  show()
  connection.look(view)
}

function fill(): void {
  for (const card of cards) card.close()
  const { code, title } = tabOf(view.tab)
  cards = tabOf(view.tab).panels.map((panel) => panelCard(panel, requests.open))
  panels.replaceChildren(...cards.map(({ element }) => element))
  objectives = objectivesView(panels)
  setText(byId('tab-title'), title)
  document.title = `${title} · BEAST MODE Edge`
  panels.dataset.tab = code
}

function show(): void {
  tabs.show(view.tab)
  choices.show(board.choices)
  glance.show(board)
  alerts.show(board)
  if (view.tab === 'O') objectives.show(board)
  // Of another tab nothing was told yet.
  if (board.view?.tab === view.tab) for (const card of cards) card.show(board, view)
  const isolates = board.isolates === 1 ? '1 isolate sends' : `${board.isolates} isolates send`
  setText(byId('footer'), board.atMs ? `As of ${TIME.format(board.atMs)}. ${isolates} figures.` : '')
}

const LIVE_WORDS: Readonly<Record<LiveState, string>> = {
  connecting: 'Connecting',
  live: 'Live',
  away: 'Not live',
  resting: 'Paused',
  'signed-out': 'Signed out',
}

function changed(state: LiveState): void {
  live.dataset.state = state
  document.body.classList.toggle('stale', state !== 'live' && state !== 'resting')
  setText(live, LIVE_WORDS[state])
  trouble.hidden = state !== 'away' && state !== 'signed-out'
  const since = board.atMs ? `The figures below are of ${TIME.format(board.atMs)}. ` : ''
  if (state === 'away') trouble.replaceChildren(`No line to the gateway. ${since}It tries again by itself.`)
  if (state === 'signed-out')
    trouble.replaceChildren(
      'Your session is over. ',
      el('a', { href: '/monitoring' }, 'Sign in again'),
      ' to see live figures.',
    )
}

function addressOf(code: TabCode): string {
  return tabOf(code).short.toLowerCase().replace(' ', '-')
}

function tabOfAddress(): TabCode | undefined {
  return TABS.find(({ code }) => `#${addressOf(code)}` === location.hash)?.code
}

fill()
const connection = new Connection(view, {
  told: (message) => {
    board.apply(message)
    show()
  },
  changed,
})
show()
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  for (const card of cards) card.repaint()
})
window.addEventListener('hashchange', () => {
  const tab = tabOfAddress()
  if (tab && tab !== view.tab) change({ ...view, tab })
})
