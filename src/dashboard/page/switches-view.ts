import type { SwitchJson } from '../../switches/switch.ts'
import { offText, whyText } from '../switch-words.ts'
import { el } from './dom.ts'

const AGAIN_MS = 15_000
const PATIENCE_MS = 5_000
const TIME = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short', hourCycle: 'h23' })

/** What is turned off; hidden while nothing is. Asks by itself, because it changes without any traffic. */
export function switchesView(host: HTMLElement): void {
  let last = ''
  const show = (off: readonly SwitchJson[]): void => {
    const text = JSON.stringify(off)
    if (text === last) return
    last = text
    host.hidden = off.length === 0
    const title = el('h2', { id: 'switches-title' }, `${off.length} turned off`)
    host.replaceChildren(title, el('ul', {}, ...off.map(item)))
  }
  const ask = async (): Promise<void> => {
    // What was said last stands until something else is said.
    if (!document.hidden) await read().then(show, () => {})
    setTimeout(ask, AGAIN_MS)
  }
  void ask()
}

async function read(): Promise<readonly SwitchJson[]> {
  const response = await fetch('/monitoring/switches', { signal: AbortSignal.timeout(PATIENCE_MS) })
  if (!response.ok) throw new Error(`status ${response.status}`)
  return ((await response.json()) as { data: readonly SwitchJson[] }).data
}

const item = (off: SwitchJson): HTMLElement =>
  el(
    'li',
    {},
    el('span', { class: 'what' }, offText(off)),
    el(
      'span',
      { class: 'since' },
      whyText(off, (ms) => TIME.format(ms)),
    ),
  )
