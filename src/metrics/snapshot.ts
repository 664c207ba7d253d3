/** Amounts of a histogram: one count a bucket of its family, not cumulative, the last for what lies above every bound. */
export interface HistogramCounts {
  readonly counts: readonly number[]
  readonly sum: number
}

/**
 * Values by series. A series is named as the exposition names it, without `beast_`, its labels in the order of the
 * catalogue: `requests_total{mode="1",provider="openai"}`; without labels it is the bare name.
 */
export interface MetricsSnapshot {
  /** Totals that never fall; in a batch, what was added. */
  readonly counters: Readonly<Record<string, number>>
  readonly gauges: Readonly<Record<string, number>>
  readonly histograms: Readonly<Record<string, HistogramCounts>>
}
