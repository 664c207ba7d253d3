import { afterEach, describe, expect, it } from 'vitest'
import {
  type BatchVerdict,
  type DurableQueue,
  type QueuedMessage,
  startDurableQueue,
} from '../support/durable-queue.ts'

// The queue that real workers are proved with must itself keep what it promises.

const said = (more: Partial<BatchVerdict>): BatchVerdict => ({
  outcome: 'ok',
  ackAll: false,
  retryBatch: { retry: false },
  explicitAcks: [],
  retryMessages: [],
  ...more,
})

let queue: DurableQueue
afterEach(() => queue?.close())

type Seen = readonly [queue: string, body: unknown, attempts: number]

/** @param answer what the consumer says of a batch, by its number from 0; undefined = it dies */
async function start(
  answer: (batch: number, messages: readonly QueuedMessage[]) => BatchVerdict | undefined,
  more: { againShare?: number; maxRetries?: number } = {},
): Promise<Seen[]> {
  const seen: Seen[] = []
  let batches = 0
  queue = await startDurableQueue({
    deliver: async (name, messages) => {
      for (const { body, attempts } of messages) seen.push([name, body, attempts])
      const verdict = answer(batches++, messages)
      if (!verdict) throw new Error('killed')
      return verdict
    },
    name: 'q',
    maxBatchSize: 10,
    batchTimeoutMs: 30,
    maxRetries: 100,
    concurrency: 1,
    againShare: 0,
    seed: 1,
    maxDelayMs: 30,
    ...more,
  })
  return seen
}
const send = (body: unknown) => fetch(queue.url, { method: 'POST', body: JSON.stringify(body) })
const untilEmpty = () => expect.poll(() => queue.backlog, { timeout: 10_000, interval: 20 }).toBe(0)

describe('the durable queue', () => {
  it('delivers again what its consumer died over, or asked for again, and nothing else', async () => {
    const seen = await start((batch, messages) => {
      if (batch === 0) return undefined
      if (batch > 1) return said({})
      const again = messages.filter(({ body }) => body === 'b').map(({ id }) => ({ msgId: id }))
      return said({ retryMessages: again })
    })
    await Promise.all(['a', 'b'].map(send))
    await untilEmpty()
    expect(seen.filter(([, body]) => body === 'a').map(([, , attempts]) => attempts)).toEqual([1, 2])
    expect(seen.filter(([, body]) => body === 'b').map(([, , attempts]) => attempts)).toEqual([1, 2, 3])
  })

  it('delivers a whole batch again whose consumer threw', async () => {
    const seen = await start((batch) =>
      batch === 0 ? said({ outcome: 'exception' }) : said({ ackAll: true }),
    )
    await send('a')
    await untilEmpty()
    expect(seen).toEqual([
      ['q', 'a', 1],
      ['q', 'a', 2],
    ])
  })

  it('hands to its dead letters what was tried too often', async () => {
    const seen = await start((batch) => (batch < 3 ? undefined : said({})), { maxRetries: 2 })
    await send('a')
    await untilEmpty()
    expect(seen.map(([name, , attempts]) => `${name} ${attempts}`)).toEqual(['q 1', 'q 2', 'q 3', 'q-dead 1'])
    expect(queue.counts.dead).toBe(1)
  })

  it('delivers once more what was acknowledged, where it is told to', async () => {
    const seen = await start(() => said({}), { againShare: 1 })
    await send('a')
    await untilEmpty()
    expect(seen).toHaveLength(2)
  })

  it('takes no half message', async () => {
    const seen = await start(() => said({}))
    await expect(fetch(queue.url, { method: 'POST', body: '{"records":[' })).rejects.toThrow()
    await send('whole')
    await untilEmpty()
    expect(seen.map(([, body]) => body)).toEqual(['whole'])
  })
})
