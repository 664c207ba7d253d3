import { ALERT_RULES } from '../../metrics/alert-rules.ts'
import type { Board } from '../board.ts'
import { agoText, rowName } from '../format.ts'
import type { AlertState } from '../messages.ts'
import { el } from './dom.ts'

/** What fires, and what is about to; hidden where nothing watches. */
export function alertsView(host: HTMLElement) {
  let last = ''
  return {
    show: ({ alerts, atMs }: Board) => {
      const text = JSON.stringify([alerts, Math.floor(atMs / 10_000)])
      if (text === last) return
      last = text
      host.hidden = alerts === undefined
      if (!alerts) return
      const firing = alerts.filter(({ state }) => state === 'firing')
      host.classList.toggle('firing', firing.length > 0)
      const title =
        firing.length > 0 ? `${firing.length} firing` : alerts.length > 0 ? 'About to fire' : 'No alert'
      const items = [...firing, ...alerts.filter(({ state }) => state !== 'firing')].map((alert) =>
        item(alert, atMs),
      )
      host.replaceChildren(el('h2', { id: 'alerts-title' }, title), el('ul', {}, ...items))
    },
  }
}

function item({ name, state, sinceMs, labels = {} }: AlertState, nowMs: number): HTMLElement {
  const rule = ALERT_RULES.find((each) => each.name === name)
  const of = rowName(Object.values(labels), Object.keys(labels))
  const what = (rule?.summary ?? name).replace(/\{\{[^}]*\}\}/g, of)
  return el(
    'li',
    {},
    el(
      'span',
      { class: `alert-state ${state}` },
      state === 'firing' ? (rule?.severity ?? 'firing') : 'pending',
    ),
    el('span', { class: 'what' }, what),
    sinceMs !== undefined && el('span', { class: 'since' }, agoText(nowMs - sinceMs)),
    rule && el('span', { class: 'tip' }, rule.tip),
  )
}
