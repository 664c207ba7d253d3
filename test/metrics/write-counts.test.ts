import { expect, it } from 'vitest'
import { Tally } from '../../src/metrics/batch-tally.ts'
import { countLot } from '../../src/metrics/write-counts.ts'

it('counts a record once its end is known, and tells how many come again', () => {
  const tally = new Tally(100)
  const gauges: Record<string, number> = {}
  const sink = {
    count: (series: string, amount = 1) => tally.count(series, amount),
    gauge: (series: string, value: number) => {
      gauges[series] = value
    },
  }
  const first = countLot(sink)
  first.told('prediction', 'stored')
  first.told('prediction', 'stored')
  first.told('feedback', 'buried')
  first.told('minute', 'later')
  first.told(undefined, 'buried')
  first.told(undefined, 'later')
  first.over()
  const counted = {
    'feedback_writes_total{table="ml_predictions",outcome="success"}': 2,
    'feedback_writes_total{table="quality_feedback",outcome="error"}': 1,
    'feedback_writes_total{table="none",outcome="error"}': 1,
  }
  expect(tally.amounts().counters).toEqual(counted)
  expect(gauges).toMatchObject({
    'write_queue_depth{table="ml_predictions"}': 0,
    'write_queue_depth{table="prediction_minutes"}': 1,
  })
  const second = countLot(sink)
  second.told('minute', 'stored')
  second.over()
  expect(tally.amounts().counters).toEqual({
    ...counted,
    'feedback_writes_total{table="prediction_minutes",outcome="success"}': 1,
  })
  expect(gauges['write_queue_depth{table="prediction_minutes"}']).toBe(0)
})
