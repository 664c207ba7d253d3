import type { ShownPanel } from '../board.ts'
import { formatValue } from '../format.ts'
import type { PagePanel } from '../tabs.ts'
import type { Chart } from './chart.ts'
import { token } from './dom.ts'

const HEIGHT = 148
const LEFT = 62
const BOTTOM = 4

/** A column a minute, a row a bucket; the more fell into it, the stronger its colour. */
export function heatmap(host: HTMLElement, panel: PagePanel): Chart {
  const canvas = document.createElement('canvas')
  host.append(canvas)
  let last: ShownPanel | undefined
  let marked: number | undefined
  const paint = () => {
    if (!last) return
    draw(canvas, host.clientWidth, panel, last)
    if (marked !== undefined) outline(canvas, host.clientWidth, last.times.length, marked)
  }
  const resized = new ResizeObserver(paint)
  resized.observe(host)
  return {
    show: (shown) => {
      last = shown
      paint()
    },
    placeAt: (x) => {
      const count = last?.times.length ?? 0
      const at = Math.floor((x - LEFT) / cellWidthOf(host.clientWidth, count))
      return at >= 0 && at < count ? at : undefined
    },
    mark: (at) => {
      marked = at
      paint()
    },
    repaint: paint,
    close: () => resized.disconnect(),
  }
}

function draw(canvas: HTMLCanvasElement, width: number, panel: PagePanel, { times, rows }: ShownPanel): void {
  const ratio = devicePixelRatio
  canvas.width = Math.max(1, Math.round(width * ratio))
  canvas.height = HEIGHT * ratio
  const ctx = canvas.getContext('2d')
  if (!ctx || rows.length === 0 || times.length === 0) return
  ctx.scale(ratio, ratio)
  const most = Math.max(Number.MIN_VALUE, ...rows.flatMap(({ values }) => values.map((value) => value ?? 0)))
  const cellWidth = cellWidthOf(width, times.length)
  const cellHeight = (HEIGHT - BOTTOM) / rows.length
  ctx.font = `11px ${token('font')}`
  ctx.textAlign = 'right'
  ctx.textBaseline = 'middle'
  const every = Math.ceil(14 / cellHeight)
  for (const [place, { labels, values }] of rows.entries()) {
    const y = HEIGHT - BOTTOM - (place + 1) * cellHeight
    ctx.globalAlpha = 1
    ctx.fillStyle = token('quiet')
    if (place % every === 0) ctx.fillText(boundText(labels[0] ?? '', panel), LEFT - 6, y + cellHeight / 2)
    for (const [i, value] of values.entries()) {
      ctx.globalAlpha = value ? 0.15 + 0.85 * Math.sqrt(value / most) : 1
      ctx.fillStyle = token(value ? 'accent' : 'cell')
      ctx.fillRect(LEFT + i * cellWidth, y, Math.max(1, cellWidth - 1), cellHeight - 1)
    }
  }
}

const cellWidthOf = (width: number, columns: number): number => (width - LEFT) / columns

function outline(canvas: HTMLCanvasElement, width: number, columns: number, at: number): void {
  const ctx = canvas.getContext('2d')
  if (!ctx) return
  const cellWidth = cellWidthOf(width, columns)
  ctx.globalAlpha = 1
  ctx.strokeStyle = token('ink')
  ctx.strokeRect(LEFT + at * cellWidth - 0.5, 0.5, cellWidth, HEIGHT - BOTTOM - 1)
}

export const boundText = (le: string, { unit }: PagePanel): string =>
  le === '+Inf' ? 'more' : `≤ ${formatValue(Number(le), unit)}`
