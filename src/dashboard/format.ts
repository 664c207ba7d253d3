import type { PanelUnit } from '../metrics/panels-parts.ts'

const LOCALE = 'en-US'
const MINUTE_S = 60
const HOUR_S = 3600
const DAY_S = 86_400

const digits = (value: number, significant: number): string =>
  new Intl.NumberFormat(LOCALE, { maximumSignificantDigits: significant }).format(value)
const decimals = (value: number, count: number): string =>
  new Intl.NumberFormat(LOCALE, { minimumFractionDigits: count, maximumFractionDigits: count }).format(value)
const compact = (value: number): string =>
  new Intl.NumberFormat(LOCALE, { notation: 'compact', maximumSignificantDigits: 3 }).format(value)

/** Stands where nothing is known. */
export const NO_VALUE = '–'

/** A number as people read it, with its unit. */
export function formatValue(value: number | null | undefined, unit: PanelUnit): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NO_VALUE
  switch (unit) {
    case 'reqps':
    case 'ops':
      return `${plain(value)} /s`
    case 's':
      return seconds(value)
    case 'bytes':
      return bytes(value)
    case 'percentunit':
      return percent(value)
    case 'currencyUSD':
      return value < 0 ? `-${dollars(-value)}` : dollars(value)
    case 'short':
      return plain(value)
  }
}

function plain(value: number): string {
  const size = Math.abs(value)
  if (size >= 100_000) return compact(value)
  return size >= 1_000 ? digits(Math.round(value), 6) : digits(value, 3)
}

function seconds(value: number): string {
  const size = Math.abs(value)
  if (size === 0) return '0 s'
  if (size < 1) return `${digits(value * 1_000, 3)} ms`
  if (size < MINUTE_S) return `${digits(value, 3)} s`
  if (size < HOUR_S) return `${digits(value / MINUTE_S, 2)} min`
  if (size < DAY_S) return `${digits(value / HOUR_S, 2)} h`
  return `${digits(value / DAY_S, 3)} d`
}

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB']

function bytes(value: number): string {
  const step = Math.min(BYTE_UNITS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, value)) / 3)))
  return `${digits(value / 1_000 ** step, 3)} ${BYTE_UNITS[step]}`
}

/** Near a whole the last digits are what matters: 99.95 is not 100. */
function percent(value: number): string {
  const part = value * 100
  const nearWhole = part > 99 && part < 100
  if (nearWhole) return `${decimals(Math.min(part, 99.99), 2)} %`
  return `${digits(part, part >= 10 || part === 0 ? 3 : 2)} %`
}

function dollars(value: number): string {
  if (value === 0) return '$0'
  if (value < 0.01) return `$${digits(value, 2)}`
  if (value < 1_000) return `$${decimals(value, 2)}`
  return value < 100_000 ? `$${decimals(value, 0)}` : `$${compact(value)}`
}

/** "12 s ago", "3 min ago". */
export const agoText = (ms: number): string => `${seconds(Math.max(0, Math.round(ms / 1_000)))} ago`

const LABEL_WORDS: Readonly<Record<string, (value: string) => string>> = {
  mode: (value) => (value === 'none' ? 'No mode' : `Mode ${value}`),
  cached: (value) => (value === 'true' ? 'From cache' : 'Asked'),
  model: (value) => (value === 'other' ? 'All others' : value),
  tenant: (value) => (value === 'other' ? 'All others' : value),
}

/** What a row is called. @param by the names of its labels */
export const rowName = (labels: readonly string[], by: readonly string[]): string =>
  labels.map((value, i) => LABEL_WORDS[by[i] ?? '']?.(value) ?? value).join(' · ')
