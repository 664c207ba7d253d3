import type { Batch } from '../../src/metrics/batch.ts'
import { MetricsBuffer } from '../../src/metrics/buffer.ts'
import { regionOf, shardName } from '../../src/metrics/shard-name.ts'
import { workerClock } from '../clock.ts'
import type { MetricsShard } from '../state/metrics-shard.ts'

/** One an isolate: values only, which belong to no batch of the queue. */
let buffer: MetricsBuffer | undefined

/** What this isolate counts, sent to its shard as those of the gateway do. */
export function recorderMetrics(shards: DurableObjectNamespace<MetricsShard>): MetricsBuffer {
  buffer ??= newBuffer(shards)
  return buffer
}

function newBuffer(shards: DurableObjectNamespace<MetricsShard>): MetricsBuffer {
  const isolate = crypto.randomUUID()
  const name = shardName(regionOf(undefined), isolate)
  const send = async (batch: Batch) => shards.get(shards.idFromName(name)).take(batch)
  return new MetricsBuffer({ clock: workerClock, random: Math.random, isolate, send })
}
