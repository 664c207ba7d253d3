import type { RequestStory } from '../../feedback/request-story.ts'
import {
  ATTEMPT_HEAD,
  attemptRows,
  CANDIDATE_HEAD,
  candidateRows,
  factsOf,
  RATING_HEAD,
  ratingRows,
} from '../request-words.ts'
import { el } from './dom.ts'

const MOMENT = new Intl.DateTimeFormat(undefined, {
  dateStyle: 'medium',
  timeStyle: 'medium',
  hourCycle: 'h23',
})
const moment = (iso: string): string => MOMENT.format(Date.parse(iso))

/** What became of one request. @param open called with the id of another that it speaks of */
export function storyView(story: RequestStory, open: (id: string) => void): HTMLElement {
  const facts = factsOf(story, moment).flatMap(([name, value]) => [
    el('div', {}, el('dt', {}, name), el('dd', {}, value)),
  ])
  return el(
    'article',
    {},
    el('dl', { class: 'story-facts' }, ...facts),
    repeated(story, open),
    part(
      'Why this model',
      CANDIDATE_HEAD,
      candidateRows(story.decision),
      'No choice was recorded: hits and requests that broke off early have none.',
    ),
    part(
      `Calls to models (${story.tries})`,
      ATTEMPT_HEAD,
      attemptRows(story),
      story.tries === 0 ? 'No model was called.' : 'None of them can have been charged for.',
    ),
    part(
      'Ratings',
      RATING_HEAD,
      ratingRows(story, moment),
      'Not rated. POST /api/feedback rates it by its prediction id.',
    ),
    el(
      'p',
      { class: 'about' },
      'What was asked and answered is never shown here. Its tenant reads it, where it keeps text, with GET /api/requests/{id}.',
    ),
  )
}

function repeated({ cached_prediction_id: id }: RequestStory, open: (id: string) => void) {
  if (id === null) return undefined
  const button = el('button', { type: 'button', class: 'link' }, id)
  button.addEventListener('click', () => open(id))
  return el('p', {}, 'It repeats the answer of ', button)
}

function part(
  title: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
  none: string,
): HTMLElement {
  const content =
    rows.length === 0
      ? el('p', { class: 'about' }, none)
      : el(
          'div',
          { class: 'scroll', tabindex: 0, role: 'group', 'aria-label': title },
          el(
            'table',
            {},
            el('thead', {}, el('tr', {}, ...head.map((name) => el('th', { scope: 'col' }, name)))),
            el('tbody', {}, ...rows.map((row) => el('tr', {}, ...row.map((text) => el('td', {}, text))))),
          ),
        )
  return el('section', {}, el('h3', {}, title), content)
}
