import { rowName } from '../format.ts'
import { FILTER_LABELS, type FilterLabel, TABS, type TabCode } from '../tabs.ts'
import { LONG_RANGES, type PageView, RANGES } from '../view.ts'
import { el } from './dom.ts'

const RANGE_WORDS = {
  5: '5 min',
  15: '15 min',
  60: '1 h',
  180: '3 h',
  1440: '24 h',
  10080: '7 d',
  43200: '30 d',
} as const
const ALL_WORDS: Readonly<Record<FilterLabel, string>> = {
  mode: 'All modes',
  model: 'All models',
  tenant: 'All tenants',
}

/** A row of tabs: arrow keys move between them, as readers of the ARIA patterns expect. */
export function tabRow(host: HTMLElement, panels: HTMLElement, chosen: (tab: TabCode) => void) {
  const buttons = TABS.map(({ code, short, title }) => {
    const button = el(
      'button',
      { type: 'button', role: 'tab', id: `tab-${code}`, 'aria-controls': 'panels', title },
      short,
    )
    button.addEventListener('click', () => chosen(code))
    return button
  })
  host.append(...buttons)
  host.addEventListener('keydown', (event) => {
    const at = buttons.indexOf(event.target as HTMLButtonElement)
    const to = placeOf(event.key, at, buttons.length)
    if (at < 0 || to === undefined) return
    event.preventDefault()
    buttons[to]?.focus()
    buttons[to]?.click()
  })
  return {
    show: (tab: TabCode) => {
      for (const button of buttons) {
        const isChosen = button.id === `tab-${tab}`
        button.setAttribute('aria-selected', String(isChosen))
        button.tabIndex = isChosen ? 0 : -1
      }
      panels.setAttribute('aria-labelledby', `tab-${tab}`)
    },
  }
}

function placeOf(key: string, at: number, count: number): number | undefined {
  if (key === 'ArrowRight') return (at + 1) % count
  if (key === 'ArrowLeft') return (at + count - 1) % count
  if (key === 'Home') return 0
  return key === 'End' ? count - 1 : undefined
}

/** How far back, and of what. */
export function choiceRow(host: HTMLElement, view: () => PageView, changed: (view: PageView) => void) {
  const radios = [...RANGES, ...LONG_RANGES].map((minutes) => {
    const input = el('input', {
      type: 'radio',
      class: 'unseen',
      name: 'range',
      id: `range-${minutes}`,
      value: minutes,
    })
    input.addEventListener('change', () => changed({ ...view(), minutes }))
    return {
      minutes,
      input,
      label: el('label', { class: 'range', for: `range-${minutes}` }, RANGE_WORDS[minutes]),
    }
  })
  const ranges = el(
    'fieldset',
    { class: 'ranges' },
    el('legend', { class: 'unseen' }, 'Time shown'),
    ...radios.flatMap(({ input, label }) => [input, label]),
  )
  const selects = FILTER_LABELS.map((label) => {
    const select = el('select', { 'aria-label': label.charAt(0).toUpperCase() + label.slice(1), name: label })
    select.addEventListener('change', () => {
      const { [label]: _, ...others } = view().filter
      changed({ ...view(), filter: select.value ? { ...others, [label]: select.value } : others })
    })
    return { label, select, names: '' }
  })
  host.append(ranges, ...selects.map(({ select }) => select))
  return {
    show: (choices: Readonly<Record<string, readonly string[]>>) => {
      for (const { minutes, input } of radios) input.checked = view().minutes === minutes
      for (const each of selects) {
        const chosen = view().filter[each.label] ?? ''
        const values = [...new Set([...(choices[each.label] ?? []), ...(chosen ? [chosen] : [])])]
        if (each.names !== values.join('\n') || each.select.childElementCount === 0) {
          each.names = values.join('\n')
          each.select.replaceChildren(
            el('option', { value: '' }, ALL_WORDS[each.label]),
            ...values.map((value) => el('option', { value }, rowName([value], [each.label]))),
          )
        }
        each.select.value = chosen
        each.select.classList.toggle('chosen', chosen !== '')
      }
    },
  }
}
