import type { SwitchJson, SwitchKind } from '../switches/switch.ts'

/** What is turned off, as the page says it. */
export function offText({ kind, name }: Pick<SwitchJson, 'kind' | 'name'>): string {
  if (kind === 'cache' && name === 'all') return 'All caching'
  return `${KINDS[kind]} ${name}`
}

const KINDS: Readonly<Record<SwitchKind, string>> = {
  cache: 'Cache tier',
  model: 'Model',
  provider: 'Provider',
  tenant: 'Tenant',
}

/** Who turned it off, when, why, and until when. @param timeText writes a moment as the page does */
export function whyText({ note, by, at, until }: SwitchJson, timeText: (ms: number) => string): string {
  const end = until === null ? 'until somebody turns it on' : `until ${timeText(Date.parse(until))}`
  return `${note} · by ${by}, ${timeText(Date.parse(at))} · ${end}`
}
