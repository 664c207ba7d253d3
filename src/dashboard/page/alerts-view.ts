import type { PanelUnit } from '../../metrics/panels-parts.ts'
import type { Board } from '../board.ts'
import { agoText, formatValue } from '../format.ts'
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

function item({ state, severity, summary, labels, ...alert }: AlertState, nowMs: number): HTMLElement {
  const { value, unit, sinceMs, told, silencedUntilMs, tip } = alert
  const facts = [
    value !== null && formatValue(value, UNITS[unit]),
    labels,
    sinceMs !== null && `since ${TIME.format(sinceMs)}, ${agoText(nowMs - sinceMs)}`,
    silencedUntilMs !== null && `silent until ${TIME.format(silencedUntilMs)}`,
    told.length > 0 && `told ${told.join(', ')}`,
  ]
  return el(
    'li',
    {},
    el('span', { class: `alert-state ${state}` }, state === 'firing' ? severity : 'pending'),
    el('span', { class: 'what' }, summary),
    el('span', { class: 'since' }, facts.filter(Boolean).join(' · ')),
    el('span', { class: 'tip' }, tip),
  )
}

const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: 'short', hourCycle: 'h23' })

const UNITS = {
  part: 'percentunit',
  s: 's',
  USD: 'currencyUSD',
  'USD a second': 'currencyUSD',
  'a second': 'ops',
} as const satisfies Record<AlertState['unit'], PanelUnit>
