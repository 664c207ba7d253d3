import { type LabelsOf, NONE, seriesName } from './catalogue.ts'
import type { Sink } from './request-facts.ts'

type Table = LabelsOf<'feedback_writes_total'>['table']
export type RecordKind = keyof typeof TABLE_OF

/** Where a record's own row goes. Those of the ledger go with a prediction, in one. */
const TABLE_OF = {
  prediction: 'ml_predictions',
  minute: 'prediction_minutes',
  text: 'prediction_texts',
  feedback: 'quality_feedback',
} as const satisfies Readonly<Record<string, Table>>

const tableOf = (kind: RecordKind | undefined): Table => (kind ? TABLE_OF[kind] : NONE)

/**
 * Counts what becomes of the records of one lot that a queue delivered. One that comes again counts when that is over.
 * @returns what is to be told of each record, and then that there are no more
 */
export function countLot(sink: Pick<Sink, 'count' | 'gauge'>) {
  const waiting = new Map<RecordKind, number>()
  return {
    told: (kind: RecordKind | undefined, became: 'stored' | 'buried' | 'later'): void => {
      if (became === 'later') {
        if (kind) waiting.set(kind, (waiting.get(kind) ?? 0) + 1)
        return
      }
      const outcome = became === 'stored' ? 'success' : 'error'
      sink.count(seriesName('feedback_writes_total', { table: tableOf(kind), outcome }))
    },
    over: (): void => {
      for (const kind of Object.keys(TABLE_OF) as RecordKind[])
        sink.gauge(seriesName('write_queue_depth', { table: TABLE_OF[kind] }), waiting.get(kind) ?? 0)
    },
  }
}
