import type { Condition, Selection, Term } from './alert-terms.ts'
import { escapeLabel, PREFIX } from './catalogue.ts'

/** @param matchers more of them, as text: `job="x"` */
export function selectorText({ family, part, where }: Selection, matchers: readonly string[] = []): string {
  const own = Object.entries(where).map(([label, value]) =>
    typeof value === 'string' ? `${label}="${escapeLabel(value)}"` : `${label}!="${escapeLabel(value.not)}"`,
  )
  const inside = [...own, ...matchers].join(',')
  return `${PREFIX}${family}${part && `_${part}`}${inside && `{${inside}}`}`
}

/** @example durationText(5400) // 90m */
export function durationText(seconds: number): string {
  if (seconds % 3600 === 0) return `${seconds / 3600}h`
  return seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`
}

const rateText = (of: Selection, windowS: number, offsetS = 0): string =>
  `rate(${selectorText(of)}[${durationText(windowS)}]${offsetS ? ` offset ${durationText(offsetS)}` : ''})`

export function termText(term: Term): string {
  switch (term.is) {
    case 'rate':
      return `sum(${rateText(term.of, term.windowS, term.offsetS)})`
    case 'largest':
      return `max by(${term.by})(${selectorText(term.of)})`
    case 'quantile':
      return `histogram_quantile(${term.q},sum by(le)(${rateText(term.of, term.windowS)}))`
    case 'ratio':
      return `${termText(term.over)} / ${divisorText(term.under)}`
    case 'scaled':
      return `${termText(term.of)} * ${term.by}`
  }
}

const divisorText = (term: Term): string =>
  term.is === 'ratio' || term.is === 'scaled' ? `(${termText(term)})` : termText(term)

export const conditionText = ({ left, is, right }: Condition): string =>
  `${termText(left)} ${is} ${typeof right === 'number' ? right : termText(right)}`
