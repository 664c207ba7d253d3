import type { Batch, BatchAnswer } from '../../src/metrics/batch.ts'
import { MetricsShard as Shard } from '../../workers/state/metrics-shard.ts'

export { MetricsHub } from '../../workers/state/metrics-hub.ts'

/** A shard that is killed as it takes a batch, before it or behind it, or turns it away as an overloaded object does. */
export class MetricsShard extends Shard {
  #fault: 'killed_before' | 'killed_behind' | 'overloaded' | undefined
  #times = 0

  misbehave(fault: 'killed_before' | 'killed_behind' | 'overloaded', times: number): void {
    this.#fault = fault
    this.#times = times
  }

  override take(batch: Batch): BatchAnswer {
    if (this.#fault === undefined || this.#times-- <= 0) return super.take(batch)
    if (this.#fault === 'overloaded') throw new Error('Durable Object is overloaded.')
    if (this.#fault === 'killed_behind') super.take(batch)
    this.ctx.abort('killed')
    throw new Error('killed')
  }
}

export default { fetch: () => new Response('Not found\n', { status: 404 }) } satisfies ExportedHandler
