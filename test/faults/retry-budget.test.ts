import { afterAll, beforeAll, expect, it } from 'vitest'
import { fakeClock } from '../support/fake-clock.ts'
import { type Asked, ask, question, routingGateway } from '../support/routing-gateway.ts'
import { providerAt } from '../support/routing-services.ts'
import { answer, startUpstream, type UpstreamFaults } from '../support/upstream-faults.ts'

let upstream: UpstreamFaults

beforeAll(async () => {
  upstream = await startUpstream()
})
afterAll(() => upstream?.close())

it('adds a fifth to 1,000 failing requests, and what it began with', async () => {
  const clock = fakeClock()
  const gateway = routingGateway({ providers: [providerAt('first', upstream.url)], clock })
  upstream.set(answer(503, '{}'))
  /** Time moves on while the request is under way, so that it need not be waited for. */
  const driven = async (): Promise<Asked> => {
    let over = false
    const ended = ask(gateway, question()).finally(() => {
      over = true
    })
    while (!over) await clock.advance(50)
    return ended
  }
  for (let i = 0; i < 1_000; i++) expect((await driven()).status).toBe(503)
  console.log(`retry budget: ${upstream.seen.length} calls for 1,000 requests`)
  expect(upstream.seen.length).toBeLessThanOrEqual(1_000 * 1.2 + 2)
  expect(upstream.seen.length).toBeGreaterThan(1_150)
  expect(gateway.events.reduce((sum, { attempts }) => sum + attempts.length, 0)).toBe(upstream.seen.length)
})
