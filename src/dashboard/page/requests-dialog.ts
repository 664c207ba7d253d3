import type { RequestPage, RequestStory } from '../../feedback/request-story.ts'
import { OUTCOMES, remarksOn, requestsAddress, type Span, storyAddress, type Wish } from '../drill-down.ts'
import type { View } from '../view.ts'
import { el, setText } from './dom.ts'
import './drill-down.css'
import { requestTable } from './request-table.ts'
import { storyView } from './story-view.ts'

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
const clock = (seconds: number): string => CLOCK.format(seconds * 1_000)

const NONE_YET =
  'No request of this time is recorded. A row follows some seconds after its answer; from 50 hits a second on, most are counted only.'
const NO_MORE = 'Nothing more is recorded of this time.'

/**
 * The requests of a time, and the story of each. A dialogue of its own: what is behind it goes on.
 * @param filter what is chosen above the panels
 */
export function requestsDialog(filter: () => View['filter']) {
  const title = el('h2', { id: 'requests-title' })
  const remarks = el('p', { class: 'note' })
  const outcome = el(
    'select',
    { 'aria-label': 'Outcome' },
    el('option', { value: '' }, 'All outcomes'),
    ...OUTCOMES.map((value) => el('option', { value }, value)),
  )
  const close = el('button', { type: 'button', class: 'plain' }, 'Close')
  const back = el('button', { type: 'button', class: 'plain', hidden: true }, 'Back to the list')
  const status = el('p', { class: 'status', role: 'status' })
  const help = el('p', { class: 'help', hidden: true })
  const again = el('button', { type: 'button', class: 'plain', hidden: true }, 'Look again')
  const older = el('button', { type: 'button', class: 'plain', hidden: true }, 'Older ones')
  const table = requestTable((id, from) => void tell(id, from))
  const list = el('div', { class: 'list' }, table.element, older)
  const story = el('div', { class: 'story', hidden: true })
  const element = el(
    'dialog',
    { class: 'requests', 'aria-labelledby': 'requests-title' },
    el('header', {}, title, back, outcome, close),
    remarks,
    status,
    help,
    again,
    list,
    story,
  )
  document.body.append(element)

  let wish: Wish | undefined
  let retry = () => {}
  let openedFrom: HTMLElement | undefined
  /** What is asked for last is shown, whichever answer comes first. */
  let asked = 0

  close.addEventListener('click', () => element.close())
  element.addEventListener('close', () => {
    asked += 1
  })
  again.addEventListener('click', () => retry())
  older.addEventListener('click', () => void look(true))
  outcome.addEventListener('change', () => {
    if (wish) wish = { ...wish, outcome: outcome.value, cursor: undefined }
    void look(false)
  })
  back.addEventListener('click', () => {
    asked += 1
    showList()
    setText(status, '')
    trouble(undefined)
    openedFrom?.focus()
  })

  function showList(): void {
    list.hidden = false
    outcome.hidden = false
    story.hidden = true
    back.hidden = true
    setText(title, wish ? titleOf(wish.span) : '')
  }

  /** @param what is to be done about it; undefined: nothing is wrong */
  function trouble(what: readonly (Node | string)[] | undefined): void {
    help.hidden = what === undefined
    again.hidden = what === undefined
    help.replaceChildren(...(what ?? []))
  }

  /** @returns undefined when it failed, which is told, or when something else is wanted by now */
  async function ask<T>(address: string, tryAgain: () => void): Promise<T | undefined> {
    asked += 1
    const mine = asked
    retry = tryAgain
    trouble(undefined)
    setText(status, 'Looking ...')
    const answer = await answerOf<T>(address)
    if (mine !== asked) return undefined
    if ('told' in answer) return answer.told
    setText(status, answer.problem)
    trouble(answer.help)
    return undefined
  }

  async function look(isMore: boolean): Promise<void> {
    if (!wish) return
    if (!isMore) table.clear()
    older.hidden = true
    const page = await ask<RequestPage>(requestsAddress(wish), () => void look(isMore))
    if (!page) return
    const first = table.add(page.data)
    if (isMore) first?.focus()
    const { next_cursor: cursor } = page
    wish = { ...wish, cursor: cursor ?? undefined }
    older.hidden = cursor === null
    const count = table.count()
    setText(status, count === 0 ? '' : `${count === 1 ? '1 request' : `${count} requests`}, newest first`)
    if (count === 0) trouble([wish.outcome ? NO_MORE : NONE_YET])
  }

  async function tell(id: string, from: HTMLElement | undefined): Promise<void> {
    openedFrom = from ?? openedFrom
    list.hidden = true
    outcome.hidden = true
    back.hidden = false
    story.hidden = false
    story.replaceChildren()
    setText(title, 'Request')
    back.focus()
    const told = await ask<RequestStory>(storyAddress(id), () => void tell(id, from))
    if (!told) return
    setText(status, '')
    story.replaceChildren(storyView(told, (other) => void tell(other, undefined)))
  }

  return {
    open: (span: Span): void => {
      wish = { span, filter: filter(), outcome: '' }
      outcome.value = ''
      const told = remarksOn(wish.filter)
      remarks.hidden = told.length === 0
      setText(remarks, [...Object.values(wish.filter), ...told].join(' · '))
      showList()
      if (!element.open) element.showModal()
      void look(false)
    },
  }
}

const titleOf = ({ fromS, toS }: Span): string => `Requests from ${clock(fromS)} to ${clock(toS)}`

type Asked<T> = { readonly told: T } | { readonly problem: string; readonly help: readonly (Node | string)[] }

async function answerOf<T>(address: string): Promise<Asked<T>> {
  try {
    const response = await fetch(address, { signal: AbortSignal.timeout(15_000) })
    if (response.ok) return { told: (await response.json()) as T }
    if (response.status === 401)
      return {
        problem: 'Your session is over.',
        help: [el('a', { href: '/monitoring' }, 'Sign in again'), ' to see requests.'],
      }
    const { error } = (await response.json()) as { error: { message: string; tip: string } }
    return { problem: error.message, help: [error.tip] }
  } catch {
    return { problem: 'The gateway did not answer.', help: ['Look again when it says "Live" above.'] }
  }
}
