import { type Span, spanAt, stopsOf } from '../drill-down.ts'
import type { PagePanel } from '../tabs.ts'
import type { Chart } from './chart.ts'

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })

export interface ChartPointer {
  show(times: readonly number[]): void
  /** What was chosen last, or else the newest. */
  span(): Span | undefined
}

/**
 * Lets a chart be asked for the requests of a time: by a click, or as a slider whose arrow keys choose the time and
 * whose Enter opens it.
 * @param pointed called with the place of the time that is chosen
 */
export function chartPointer(
  host: HTMLElement,
  panel: PagePanel,
  chart: Chart,
  pointed: (at: number | undefined) => void,
  open: (span: Span) => void,
): ChartPointer {
  let times: readonly number[] = []
  let chosen: Span | undefined
  host.setAttribute('role', 'slider')
  host.setAttribute('tabindex', '0')
  host.setAttribute(
    'aria-label',
    `Chart: ${panel.title}. Arrow keys choose a time, Enter lists its requests. The table below has the values.`,
  )
  host.title = 'List the requests of this time'

  /** Among the stops; the newest where nothing is chosen, or it has moved out. */
  const placeIn = (stops: readonly number[]): number => {
    const at = stops.findIndex((stop) => spanAt(times, stop)?.fromS === chosen?.fromS)
    return at < 0 ? stops.length - 1 : at
  }
  const tell = () => {
    const stops = stopsOf(times)
    const place = placeIn(stops)
    const span = spanAt(times, stops[place] ?? -1)
    host.setAttribute('aria-valuemin', '0')
    host.setAttribute('aria-valuemax', String(Math.max(0, stops.length - 1)))
    host.setAttribute('aria-valuenow', String(Math.max(0, place)))
    host.setAttribute('aria-valuetext', span ? CLOCK.format(span.fromS * 1_000) : 'no time yet')
    if (!chosen) return
    chart.mark(stops[place])
    pointed(stops[place])
  }
  const choose = (span: Span | undefined) => {
    chosen = span
    tell()
  }
  const clear = () => {
    if (!chosen) return
    choose(undefined)
    chart.mark(undefined)
    pointed(undefined)
  }
  const newest = () => spanAt(times, times.length - 1)

  host.addEventListener('click', (event) => {
    const span = spanAt(times, chart.placeAt(event.clientX - host.getBoundingClientRect().left) ?? -1)
    if (span) open(span)
  })
  host.addEventListener('keydown', (event) => {
    const stops = stopsOf(times)
    const place = placeIn(stops)
    const to = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: stops.length - 1 }[event.key]
    if (to !== undefined) choose(spanAt(times, stops[Math.min(Math.max(to, 0), stops.length - 1)] ?? -1))
    else if (event.key === 'Escape') clear()
    else if (event.key === 'Enter' || event.key === ' ') {
      const span = chosen ?? newest()
      if (span) open(span)
    } else return
    event.preventDefault()
  })
  host.addEventListener('blur', () => {
    // Whoever comes back from the list goes on from there.
    if (!document.querySelector('dialog[open]')) clear()
  })
  tell()
  return {
    show: (shown) => {
      times = shown
      tell()
    },
    span: () => chosen ?? newest(),
  }
}
