export { Account } from './account.ts'
export { Idempotency } from './idempotency.ts'

// Reached through its Durable Objects only.
export default {
  fetch: () => new Response('Not found\n', { status: 404 }),
} satisfies ExportedHandler
