import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import type { ShownPanel } from '../board.ts'
import { formatValue } from '../format.ts'
import type { PagePanel } from '../tabs.ts'
import { token } from './dom.ts'

const HEIGHT = 148
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })

const DAY = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric' })
const HOURS_S = 12 * 3_600

/** Steps that people count time in. */
const SECOND_STEPS = [
  ...[-6, -5, -4, -3, -2, -1, 0].flatMap((power) => [1, 2, 5].map((step) => step * 10 ** power)),
  ...[10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800],
]

/** How many colours the style sheet has for lines. */
export const COLOURS = 8
export const colourOf = (index: number): string => token(`line-${(index % COLOURS) + 1}`)

export interface Chart {
  show(shown: ShownPanel, fromS: number, toS: number): void
  /** The place of the time that is drawn so far from the left, in pixels. */
  placeAt(x: number): number | undefined
  /** Shows which time is meant. */
  mark(at: number | undefined): void
  /** The same in the colours that hold now. */
  repaint(): void
  close(): void
}

/** @param pointed called with the place of a time that is pointed at, or undefined */
export function lineChart(
  host: HTMLElement,
  panel: PagePanel,
  pointed: (index: number | undefined) => void,
): Chart {
  let plot: uPlot | undefined
  let lines = 0
  let last: [ShownPanel, number, number] | undefined
  const width = () => Math.max(120, host.clientWidth)
  const resized = new ResizeObserver(() => plot?.setSize({ width: width(), height: HEIGHT }))
  resized.observe(host)

  const close = () => {
    plot?.destroy()
    plot = undefined
  }
  const show: Chart['show'] = (shown, fromS, toS) => {
    last = [shown, fromS, toS]
    if (lines !== shown.rows.length) close()
    lines = shown.rows.length
    const data = [[...shown.times], ...shown.rows.map(({ values }) => [...values])] as uPlot.AlignedData
    plot ??= new uPlot(optionsOf(panel, lines, width(), pointed), data, host)
    plot.batch(() => {
      plot?.setData(data, false)
      plot?.setScale('y', { min: 0, max: topOf(shown, panel) })
      plot?.setScale('x', { min: fromS, max: toS })
    })
  }
  return {
    show,
    placeAt: (x) => plot?.posToIdx(x - plot.over.offsetLeft),
    mark: (at) => {
      const time = at === undefined ? undefined : last?.[0].times[at]
      plot?.setCursor({ left: time === undefined ? -10 : plot.valToPos(time, 'x'), top: 0 })
    },
    repaint: () => {
      close()
      if (last) show(...last)
    },
    close: () => {
      resized.disconnect()
      close()
    },
  }
}

/** A little air above the highest value; a threshold is shown once it is not far. */
function topOf({ rows }: ShownPanel, { line, kind, unit }: PagePanel): number {
  if (kind === 'gauge' && unit === 'percentunit') return 1
  const highest = Math.max(0, ...rows.flatMap(({ values }) => values.map((value) => value ?? 0)))
  const wanted = line !== undefined && highest > line / 3 ? Math.max(highest, line) : highest
  return wanted > 0 ? wanted * 1.15 : 1
}

function optionsOf(
  panel: PagePanel,
  lines: number,
  width: number,
  pointed: (index: number | undefined) => void,
): uPlot.Options {
  const quiet = token('quiet')
  const grid = { stroke: token('grid'), width: 1 }
  const font = `11px ${token('font')}`
  return {
    width,
    height: HEIGHT,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    scales: { x: { time: true, auto: false }, y: { auto: false } },
    axes: [
      {
        stroke: quiet,
        font,
        size: 24,
        space: 64,
        grid: { show: false },
        ticks: { show: false },
        values: ({ scales: { x } }, splits) =>
          splits.map((seconds) => timeText(seconds, (x?.max ?? 0) - (x?.min ?? 0))),
      },
      {
        stroke: quiet,
        font,
        size: 62,
        space: 32,
        gap: 6,
        grid,
        ticks: { show: false },
        ...(panel.unit === 's' && { incrs: SECOND_STEPS }),
        values: (_, splits) => splits.map((value) => formatValue(value, panel.unit).replace(/\.00$/, '')),
      },
    ],
    series: [
      {},
      ...Array.from({ length: lines }, (_, i) => ({
        stroke: colourOf(i),
        width: 1.75,
        // A line needs two.
        points: { show: (_plot: uPlot, _series: number, from: number, to: number) => to === from },
        spanGaps: false,
        ...(lines === 1 && { fill: token('line-fill') }),
      })),
    ],
    hooks: {
      draw: [(plot) => panel.line !== undefined && drawThreshold(plot, panel.line)],
      setCursor: [({ cursor }) => pointed(cursor.idx ?? undefined)],
    },
  }
}

/** Over many hours midnight is called by its day. */
function timeText(seconds: number, shownS: number): string {
  const time = new Date(seconds * 1_000)
  const isMidnight = time.getHours() === 0 && time.getMinutes() === 0
  return (isMidnight && shownS > HOURS_S ? DAY : CLOCK).format(time)
}

function drawThreshold(plot: uPlot, value: number): void {
  const { ctx, bbox } = plot
  const y = Math.round(plot.valToPos(value, 'y', true))
  if (y < bbox.top) return
  ctx.save()
  ctx.strokeStyle = token('warn')
  ctx.lineWidth = devicePixelRatio
  ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio])
  ctx.beginPath()
  ctx.moveTo(bbox.left, y)
  ctx.lineTo(bbox.left + bbox.width, y)
  ctx.stroke()
  ctx.restore()
}

/** The last values as a small line without axes. */
export function sparkPoints(values: readonly (number | null)[], width: number, height: number): string {
  const known = values.flatMap((value, i) => (value === null ? [] : [[i, value] as const]))
  const top = Math.max(...known.map(([, value]) => value), Number.MIN_VALUE)
  const last = Math.max(1, values.length - 1)
  return known
    .map(
      ([i, value]) =>
        `${((i / last) * width).toFixed(1)},${(height - 2 - (value / top) * (height - 4)).toFixed(1)}`,
    )
    .join(' ')
}
