export { Account } from './account.ts'

// Reached through its Durable Objects only.
export default {
  fetch: () => new Response('Not found\n', { status: 404 }),
} satisfies ExportedHandler
