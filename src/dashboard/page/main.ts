import { Board } from '../board.ts'
import { isLiveOnly, sourceText } from '../history-words.ts'
import { type PagePanel, TABS, type TabCode, tabOf } from '../tabs.ts'
import { FIRST_VIEW, isLong, type LongMinutes, type PageView, type View } from '../view.ts'
import { alertsView } from './alerts-view.ts'
import { Connection, type LiveState } from './connection.ts'
import { choiceRow, tabRow } from './controls.ts'
import { byId, el, setText } from './dom.ts'
import { liveFrame, longFrame, longPanel } from './frames.ts'
import { objectivesView } from './objectives-view.ts'
import { type Card, panelCard } from './panel-card.ts'
import { requestsDialog } from './requests-dialog.ts'
import { StoredFigures } from './stored-figures.ts'
import { vitals } from './vitals.ts'

const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium', hourCycle: 'h23' })

const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short', hourCycle: 'h23' })
/** Live it stands for names without a line of their own; the database has them all. */
const OTHER = 'other'

const board = new Board()
const stored = new StoredFigures(show)
let view: PageView = { ...FIRST_VIEW, tab: tabOfAddress() ?? FIRST_VIEW.tab }
let cards: { readonly panel: PagePanel; readonly card: Card }[] = []

const live = byId('live')
const trouble = byId('trouble')
const source = byId('source')
const panels = byId('panels')
const glance = vitals(byId('vitals'))
const alerts = alertsView(byId('alerts'))
const requests = requestsDialog(() => view.filter)
let objectives = objectivesView(panels)
const tabs = tabRow(byId('tabs'), panels, (tab) => change({ ...view, tab }))
const choices = choiceRow(byId('choices'), () => view, change)

function change(next: PageView): void {
  const isOtherTab = next.tab !== view.tab
  view = isLong(next.minutes) ? { ...next, filter: named(next.filter) } : next
  if (isOtherTab) {
    history.replaceState(null, '', `#${addressOf(view.tab)}`)
    fill()
  }
  stored.look(isLong(view.minutes) ? { minutes: view.minutes, filter: view.filter } : undefined)
  show()
  connection.look(liveView())
}

const named = (filter: View['filter']): View['filter'] =>
  Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== OTHER))

/** What stands above the panels is live at all times. */
function liveView(): View {
  return { ...view, minutes: isLong(view.minutes) ? 180 : view.minutes }
}

function fill(): void {
  for (const { card } of cards) card.close()
  const { code, title } = tabOf(view.tab)
  cards = tabOf(view.tab).panels.map((panel) => ({ panel, card: panelCard(panel, requests.open) }))
  panels.replaceChildren(...cards.map(({ card }) => card.element))
  objectives = objectivesView(panels)
  setText(byId('tab-title'), title)
  document.title = `${title} · BEAST MODE Edge`
  panels.dataset.tab = code
}

function show(): void {
  tabs.show(view.tab)
  const long = isLong(view.minutes) ? view.minutes : undefined
  const told = long && stored.shown.state === 'told' ? stored.shown.history : undefined
  choices.show(told?.choices ?? board.choices)
  glance.show(board)
  alerts.show(board)
  if (view.tab === 'O') objectives.show(board)
  showSource(long)
  if (long) showLong(long)
  // Of another tab nothing was told yet.
  else if (board.view?.tab === view.tab) showLive()
  const isolates = board.isolates === 1 ? '1 isolate sends' : `${board.isolates} isolates send`
  setText(byId('footer'), board.atMs ? `As of ${TIME.format(board.atMs)}. ${isolates} figures.` : '')
}

function showLive(): void {
  for (const { panel, card } of cards) {
    const shown = board.panel(panel.code)
    card.show(shown, liveFrame(panel, shown, board, view))
  }
}

function showLong(minutes: LongMinutes): void {
  const { shown } = stored
  const history = shown.state === 'told' ? shown.history : undefined
  const empty = shown.state === 'reading' ? 'Reading the database.' : 'The database told nothing.'
  for (const { panel, card } of cards)
    card.show(longPanel(panel, history), longFrame(panel, history, minutes, empty))
}

/** Where the figures come from, if not from what is live. */
function showSource(long: LongMinutes | undefined): void {
  const { shown } = stored
  source.hidden = long === undefined || tabOf(view.tab).panels.every(({ code }) => isLiveOnly(code))
  source.classList.toggle('notice', shown.state === 'failed' || shown.state === 'signed-out')
  if (source.hidden) return
  if (shown.state === 'reading') setText(source, 'Reading the database.')
  else if (shown.state === 'failed') setText(source, shown.text)
  else if (shown.state === 'told')
    setText(
      source,
      sourceText(shown.history, (ms) => DATE.format(ms)),
    )
  else setText(source, 'Your session is over. Load the page again and sign in.')
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
const connection = new Connection(liveView(), {
  told: (message) => {
    board.apply(message)
    show()
  },
  changed,
})
show()
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  for (const { card } of cards) card.repaint()
})
window.addEventListener('hashchange', () => {
  const tab = tabOfAddress()
  if (tab && tab !== view.tab) change({ ...view, tab })
})
