import { connect } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import { createVirtualKey } from '../../src/tenants/virtual-key.ts'
import { requestBytes, writeSerial } from './requests.ts'
import { body, KEYS, keyBytes, zipfSequence } from './workload.ts'

export interface LoadTask {
  readonly port: number
  readonly path: string
  readonly connections: number
  readonly seconds: number
  /** It ends after so many, should that be before its time. */
  readonly requests?: number
  /** `each`: every body once; `turns`: one after the other; `zipf`: as in life; `unique`: never the same twice. */
  readonly order: 'each' | 'turns' | 'zipf' | 'unique'
  /** How many bodies there are. */
  readonly distinct: number
  readonly stream: boolean
  readonly seed: number
}

export interface LoadResult {
  readonly requests: number
  readonly seconds: number
  readonly failures: number
  /** Answers whose Cache-Status names a hit. */
  readonly hits: number
  /** To the first byte of the body, milliseconds. */
  readonly p50Ms: number
  readonly p95Ms: number
  /** Share of one core that this generator took. */
  readonly cpu: number
}

/** Serial numbers are never used twice in one process, over all runs of `unique`. */
let serial = 0

/** A closed loop over keep-alive connections, with requests made beforehand: as little work as can be. */
class Load {
  readonly #task: LoadTask
  readonly #requests: { bytes: Buffer; serialAt: number }[]
  readonly #order: Uint16Array
  #sent = 0
  #done = 0
  #failures = 0
  #hits = 0
  #stopped = false
  readonly #waits: number[] = []

  constructor(task: LoadTask, keys: readonly string[]) {
    this.#task = task
    this.#requests = Array.from({ length: task.distinct }, (_, index) =>
      requestBytes(task.path, keys[index % KEYS] as string, body(index, task.stream)),
    )
    this.#order =
      task.order === 'each' || task.order === 'turns'
        ? Uint16Array.from({ length: task.distinct }, (_, i) => i)
        : zipfSequence(65_536, task.seed, task.distinct)
  }

  async run(): Promise<LoadResult> {
    const { connections, seconds, order } = this.#task
    const started = performance.now()
    const cpu = process.threadCpuUsage()
    const timer = order === 'each' ? undefined : setTimeout(() => (this.#stopped = true), seconds * 1_000)
    await Promise.all(Array.from({ length: connections }, () => this.#connection()))
    clearTimeout(timer)
    const elapsed = (performance.now() - started) / 1_000
    const used = process.threadCpuUsage(cpu)
    this.#waits.sort((a, b) => a - b)
    const at = (share: number) => this.#waits[Math.floor(this.#waits.length * share)] ?? 0
    return {
      requests: this.#done,
      seconds: elapsed,
      failures: this.#failures,
      hits: this.#hits,
      p50Ms: at(0.5),
      p95Ms: at(0.95),
      cpu: (used.user + used.system) / 1e6 / elapsed,
    }
  }

  #next(): Buffer | undefined {
    const { order, distinct, requests = order === 'each' ? distinct : Number.POSITIVE_INFINITY } = this.#task
    if (this.#stopped || this.#sent >= requests) return undefined
    const { bytes, serialAt } = this.#requests[this.#order[this.#sent++ % this.#order.length] as number] as {
      bytes: Buffer
      serialAt: number
    }
    if (this.#task.order !== 'unique') return bytes
    // A copy: the socket may still hold the buffer.
    const copy = Buffer.from(bytes)
    writeSerial(copy, serialAt, ++serial)
    return copy
  }

  #connection(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.#task.port, '127.0.0.1')
      socket.setNoDelay(true)
      let sentAt = 0
      let pending = ''
      let waiting = true
      const send = (): void => {
        const bytes = this.#next()
        if (!bytes) return void socket.end(() => resolve())
        pending = ''
        waiting = true
        sentAt = performance.now()
        socket.write(bytes)
      }
      socket.once('connect', send)
      socket.once('error', reject)
      socket.once('close', () => reject(new Error('the connection was closed')))
      socket.on('data', (data) => {
        pending += data.toString('latin1')
        const bodyAt = pending.indexOf('\r\n\r\n') + 4
        if (bodyAt < 4) return
        if (waiting && pending.length > bodyAt) {
          waiting = false
          this.#waits.push(performance.now() - sentAt)
        }
        if (!complete(pending, bodyAt)) return
        this.#done += 1
        if (!pending.startsWith('HTTP/1.1 200')) this.#failures += 1
        const hit = pending.indexOf('; hit;')
        if (hit > 0 && hit < bodyAt) this.#hits += 1
        send()
      })
    })
  }
}

/** What ends a chunked body; searched for in the body only, because a header may end in the same characters. */
const LAST_CHUNK = '\r\n0\r\n\r\n'
const LENGTH = 'content-length: '

function complete(text: string, bodyAt: number): boolean {
  const head = text.slice(0, bodyAt).toLowerCase()
  const at = head.indexOf(LENGTH)
  if (at < 0) return text.slice(bodyAt).endsWith(LAST_CHUNK)
  return text.length >= bodyAt + Number.parseInt(head.slice(at + LENGTH.length, at + LENGTH.length + 10), 10)
}

if (parentPort) {
  const keys = Array.from({ length: KEYS }, (_, index) => createVirtualKey(keyBytes(index)))
  const port = parentPort
  port.on('message', async (task: LoadTask) =>
    port.postMessage(await new Load(task, workerData?.keys ?? keys).run()),
  )
}
