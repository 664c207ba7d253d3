import type { Board, ShownPanel } from '../board.ts'
import { emptyText } from '../empty.ts'
import type { History } from '../history.ts'
import { emptyLongText, isLiveOnly, LONG_REMARKS } from '../history-words.ts'
import type { PagePanel } from '../tabs.ts'
import type { LongMinutes, PageView } from '../view.ts'
import { type Frame, hasValue } from './panel-card.ts'

/** Around what the hub tells. */
export function liveFrame(panel: PagePanel, shown: ShownPanel, board: Board, view: PageView): Frame {
  const nowS = board.atMs / 1_000
  return {
    fromS: nowS - view.minutes * 60,
    toS: nowS,
    remark: remarkOn(panel, view, hasValue(shown) && shown.isKeptHere),
    empty: emptyText(panel),
    isLong: false,
  }
}

function remarkOn(panel: PagePanel, { filter }: PageView, isKeptHere: boolean): string {
  const unsplit = Object.keys(filter).filter((label) => !panel.filters.includes(label))
  if (unsplit.length > 0) return `Counts every ${unsplit.join(' and every ')}: they are not told apart here.`
  return isKeptHere && panel.hasTrend ? 'Drawn from when this page was opened.' : ''
}

/** Around what the database told. @param empty stands while it has not */
export function longFrame(
  { code }: PagePanel,
  history: History | undefined,
  minutes: LongMinutes,
  empty: string,
): Frame {
  const toS = history?.times.at(-1) ?? 0
  return {
    fromS: toS - minutes * 60,
    toS,
    remark: history?.figures[code]?.length ? (LONG_REMARKS[code] ?? '') : '',
    empty: history || isLiveOnly(code) ? emptyLongText(code) : empty,
    isLong: true,
  }
}

export function longPanel({ code }: PagePanel, history: History | undefined): ShownPanel {
  const times = history?.times ?? []
  const blank = new Array<null>(times.length).fill(null)
  return {
    isKeptHere: false,
    times,
    rows: (history?.figures[code] ?? []).map(({ labels, now, points }) => ({
      labels,
      now,
      values: points ?? blank,
    })),
  }
}
