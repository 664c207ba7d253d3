export { Account } from './account.ts'
export { Flight } from './flight.ts'
export { Idempotency } from './idempotency.ts'
export { MetricsHub } from './metrics-hub.ts'
export { MetricsShard } from './metrics-shard.ts'

// Reached through its Durable Objects only.
export default {
  fetch: () => new Response('Not found\n', { status: 404 }),
} satisfies ExportedHandler
