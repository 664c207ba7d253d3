import { seededRandom } from '../../scripts/seeded-random.ts'
import { type Listening, listen, readText } from '../../scripts/stack/http.ts'

/** A message as the consumer gets it. */
export interface QueuedMessage {
  readonly id: string
  readonly timestampMs: number
  readonly attempts: number
  readonly body: unknown
}

/** What a consumer says of a batch, as workerd hands it over. */
export interface BatchVerdict {
  readonly outcome: string
  readonly ackAll: boolean
  readonly retryBatch: { readonly retry: boolean; readonly delaySeconds?: number }
  readonly explicitAcks: readonly string[]
  readonly retryMessages: readonly { readonly msgId: string; readonly delaySeconds?: number }[]
}

export interface DurableQueueOptions {
  /** Hands a batch to the consumer. Rejects when it is not there, or ends before it has said anything. */
  readonly deliver: (queue: string, messages: readonly QueuedMessage[]) => Promise<BatchVerdict>
  readonly name: string
  readonly maxBatchSize: number
  readonly batchTimeoutMs: number
  readonly maxRetries: number
  /** Batches that may be out at once. */
  readonly concurrency: number
  /** Of the messages that were acknowledged, so many come once more: the promise is at least once, not once. */
  readonly againShare: number
  readonly seed: number
  /** The longest wait before a message comes again, whatever the consumer asked for. */
  readonly maxDelayMs?: number
}

export interface DurableQueue extends Listening {
  /** Messages that nobody has acknowledged. */
  readonly backlog: number
  /** When the oldest of them came; undefined where there is none. */
  readonly oldestMs: number | undefined
  /** How long nothing was here, and nothing came; 0 while something waits. */
  idleMs(): number
  readonly counts: { readonly taken: number; readonly redelivered: number; readonly dead: number }
}

interface Held {
  readonly id: string
  readonly timestampMs: number
  readonly body: unknown
  attempts: number
  dueMs: number
  out: boolean
  queue: string
  /** It was acknowledged, and comes again all the same. */
  repeats: boolean
}

const TICK_MS = 20
/** Until a batch comes again that the consumer never spoke of. */
const UNHEARD_MS = 500

/**
 * A queue that keeps its word as Cloudflare's does: what it took it delivers at least once, again and again until it is
 * acknowledged, in any order, with a dead-letter queue after so many tries. It speaks to workerd's own queue binding,
 * and outlives the workers on both of its sides.
 */
export async function startDurableQueue(options: DurableQueueOptions): Promise<DurableQueue> {
  const { deliver, name, maxBatchSize, batchTimeoutMs, maxRetries, concurrency, againShare } = options
  const random = seededRandom(options.seed)
  const held = new Map<string, Held>()
  const counts = { taken: 0, redelivered: 0, dead: 0 }
  let out = 0
  let quietSinceMs = Date.now()

  const server = await listen(0, async (request, response) => {
    const body = await readText(request)
      .then((text): unknown => JSON.parse(text))
      .catch(() => undefined)
    // Half a message is none: whoever sent it was never told that it was taken.
    if (body === undefined) return void request.socket.destroy()
    const id = `message-${++counts.taken}`
    const [attempts, timestampMs] = [0, Date.now()]
    quietSinceMs = timestampMs
    held.set(id, { id, timestampMs, body, attempts, dueMs: 0, out: false, queue: name, repeats: false })
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end('{"metadata":{"metrics":{"backlogCount":0,"backlogBytes":0}}}')
  })

  const again = (message: Held, delayMs: number) => {
    message.out = false
    counts.redelivered += 1
    message.dueMs = Date.now() + Math.min(delayMs, options.maxDelayMs ?? Number.POSITIVE_INFINITY)
    if (message.attempts <= maxRetries) return
    counts.dead += message.queue === name ? 1 : 0
    message.queue = `${name}-dead`
    message.attempts = 0
  }

  const settle = (batch: readonly Held[], verdict: BatchVerdict | undefined) => {
    quietSinceMs = Date.now()
    for (const message of batch) {
      const retry = verdict?.retryMessages.find(({ msgId }) => msgId === message.id)
      if (!verdict || !acknowledges(verdict, message.id))
        again(message, retry ? (retry.delaySeconds ?? 0) * 1_000 : UNHEARD_MS)
      else if (!message.repeats && random() < againShare) {
        message.repeats = true
        again(message, random() * 2_000)
      } else held.delete(message.id)
    }
  }

  const hand = async (batch: readonly Held[]) => {
    out += 1
    for (const message of batch) {
      message.out = true
      message.attempts += 1
    }
    const messages = batch.map(({ id, timestampMs, attempts, body }) => ({ id, timestampMs, attempts, body }))
    const verdict = await deliver(batch[0]?.queue ?? name, messages).catch(() => undefined)
    settle(batch, verdict)
    out -= 1
  }

  const tick = () => {
    const nowMs = Date.now()
    for (const queue of [name, `${name}-dead`]) {
      const due = [...held.values()].filter(
        (each) => !each.out && each.queue === queue && each.dueMs <= nowMs,
      )
      const oldestMs = Math.min(...due.map(({ timestampMs, dueMs }) => Math.max(timestampMs, dueMs)))
      while (out < concurrency && (due.length >= maxBatchSize || nowMs - oldestMs >= batchTimeoutMs)) {
        const batch = due.splice(0, maxBatchSize)
        if (batch.length === 0) break
        void hand(batch)
      }
    }
  }
  const ticking = setInterval(tick, TICK_MS)
  return {
    port: server.port,
    url: server.url,
    counts,
    get backlog() {
      return held.size
    },
    get oldestMs() {
      return held.values().next().value?.timestampMs
    },
    idleMs: () => (held.size > 0 ? 0 : Date.now() - quietSinceMs),
    close: async () => {
      clearInterval(ticking)
      await server.close()
    },
  }
}

/** What a consumer that ended well did not speak of, it acknowledged. */
function acknowledges(verdict: BatchVerdict, id: string): boolean {
  if (verdict.explicitAcks.includes(id)) return true
  if (verdict.retryBatch.retry || verdict.retryMessages.some(({ msgId }) => msgId === id)) return false
  return verdict.ackAll || verdict.outcome === 'ok'
}
