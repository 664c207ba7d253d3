import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startKvService } from '../../scripts/bench/kv-service.ts'
import { Running } from '../../scripts/bench/running.ts'
import { bundle, freePort, type Served, serve, writeConfig } from '../../scripts/bench/workerd.ts'
import { type SimulatedProvider, startSimulatedProvider } from '../../scripts/simulated-provider.ts'
import { AdminClient } from '../../scripts/stack/admin-client.ts'
import type { EmbeddedSupabase } from '../../scripts/stack/supabase.ts'
import {
  type BatchVerdict,
  type DurableQueue,
  type QueuedMessage,
  startDurableQueue,
} from './durable-queue.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'
import { collectedHeapMb } from './inspector.ts'
import { OPERATOR_TOKEN, ROOT, startTestSupabase } from './stores.ts'
import { kek } from './workers.ts'

/** A workerd that can be killed, and started again on what it left on disk. */
export interface Killable {
  readonly url: string
  /** Resident memory, MB; 0 while it is down. */
  memoryMb(): number
  /** What its isolates hold once all that nobody needs is collected, MB. */
  heapMb(): Promise<number>
  start(): Promise<void>
  /** SIGKILL. */
  kill(): Promise<void>
}

/** All that lies between a caller and the tables: the workers on raw workerd, everything else outside of them. */
export interface RecordingStack {
  /** With the state worker, whose objects are on disk. */
  readonly gateway: Killable
  readonly recorder: Killable
  readonly queue: DurableQueue
  readonly supabase: EmbeddedSupabase
  /** Before Supabase. */
  readonly proxy: FaultProxy
  readonly provider: SimulatedProvider
  readonly admin: AdminClient
  /** Where the account objects keep their files. */
  readonly accounts: string
  close(): Promise<void>
}

/** As much as an isolate has on the platform, MB: by itself workerd lets it take gigabytes before it collects. */
const V8_FLAGS = ['--max-heap-size=128']

/** Hands what it is given to the recorder as the platform would: an event of a queue. */
const DOOR = `export default {
  async fetch(request, env) {
    if (request.method !== 'POST') return new Response('ok')
    const { queue, messages } = await request.json()
    const batch = messages.map(({ timestampMs, ...message }) => ({ ...message, timestamp: new Date(timestampMs) }))
    return Response.json(await env.RECORDER.queue(queue, batch))
  },
}`

export interface RecordingOptions {
  /** Of what the queue and the proxy draw by lot. */
  readonly seed: number
  /** Shortens the waits that the recorder asks for, which otherwise last minutes. */
  readonly maxDelayMs?: number
}

export async function startRecordingStack(options: RecordingOptions): Promise<RecordingStack> {
  const running = new Running()
  const dir = mkdtempSync(join(tmpdir(), 'beast-recording-'))
  const forget = () => rmSync(dir, { recursive: true, force: true })
  try {
    return await start(dir, options, running, () => running.close().finally(forget))
  } catch (error) {
    await running.close().finally(forget)
    throw error
  }
}

async function start(
  dir: string,
  { seed, maxDelayMs }: RecordingOptions,
  running: Running,
  close: () => Promise<void>,
): Promise<RecordingStack> {
  const [supabase, provider, kv] = await Promise.all([
    running.own(startTestSupabase),
    // Slow enough that a kill finds answers under way.
    running.own(() => startSimulatedProvider({ latencyMs: 80, tokensPerSecond: 60 })),
    running.own(() => startKvService()),
  ])
  const proxy = await running.own(() => startFaultProxy(supabase.url, seed))
  for (const name of ['disk', 'door']) mkdirSync(join(dir, name))
  const [gatewayPort, recorderPort] = [await freePort(), await freePort()]
  const door = `http://127.0.0.1:${recorderPort}`
  const queue = await running.own(() =>
    startDurableQueue({
      deliver: (name, messages) => deliver(door, name, messages),
      name: 'beast-telemetry',
      maxBatchSize: 50,
      batchTimeoutMs: 500,
      maxRetries: 100,
      concurrency: 2,
      againShare: 0.05,
      seed,
      ...(maxDelayMs !== undefined && { maxDelayMs }),
    }),
  )
  const supabaseTexts = { SUPABASE_URL: proxy.url, SUPABASE_SECRET_KEY: supabase.secretKey }
  const gatewayTexts = {
    ...supabaseTexts,
    SIMULATED_PROVIDER_URL: provider.url,
    ROOT_KEY: 'r'.repeat(42).concat('o'),
    KEY_PEPPER: 'k'.repeat(43),
    KEK_1: kek(1),
    OPERATOR_TOKEN,
    // Full soon, so that what grows after that is something else.
    CACHE_MEMORY_ENTRIES: '100',
  }
  const external = (name: string, port: number) =>
    `(name = "${name}", external = (address = "127.0.0.1:${port}", http = ()))`
  const gatewayConfig = writeConfig(
    join(dir, 'gateway.capnp'),
    gatewayPort,
    {
      mainFile: join(bundle(ROOT, 'wrangler.toml', join(dir, 'gateway')), 'index.js'),
      texts: gatewayTexts,
      bindings: [
        '(name = "CACHE", kvNamespace = "kv")',
        '(name = "ACCOUNT", durableObjectNamespace = (className = "Account", serviceName = "state"))',
        '(name = "TELEMETRY", queue = "queue")',
      ],
    },
    {
      state: {
        mainFile: join(bundle(ROOT, 'workers/state/wrangler.toml', join(dir, 'state')), 'index.js'),
        bindings: ['(name = "TELEMETRY", queue = "queue")'],
        more: [
          'durableObjectNamespaces = [(className = "Account", uniqueKey = "account", enableSql = true)]',
          'durableObjectStorage = (localDisk = "disk")',
        ],
      },
    },
    [
      external('kv', kv.port),
      external('queue', queue.port),
      `(name = "disk", disk = (path = "${join(dir, 'disk')}", writable = true))`,
    ],
    V8_FLAGS,
  )
  const doorFile = join(dir, 'door/door.js')
  writeFileSync(doorFile, DOOR)
  const recorderConfig = writeConfig(
    join(dir, 'recorder.capnp'),
    recorderPort,
    {
      mainFile: doorFile,
      bindings: ['(name = "RECORDER", service = "recorder")'],
      flags: ['service_binding_extra_handlers'],
    },
    {
      recorder: {
        mainFile: join(bundle(ROOT, 'workers/recorder/wrangler.toml', join(dir, 'recorder')), 'index.js'),
        texts: supabaseTexts,
      },
    },
    [],
    V8_FLAGS,
  )
  const [gateway, recorder] = [
    killable(gatewayConfig, gatewayPort, '/healthz', await freePort()),
    killable(recorderConfig, recorderPort, '/', await freePort()),
  ]
  for (const worker of [gateway, recorder]) {
    await running.own(() => ({ close: worker.kill }))
    await worker.start()
  }
  const admin = new AdminClient(gateway.url, OPERATOR_TOKEN)
  const accounts = join(dir, 'disk/account')
  return { gateway, recorder, queue, supabase, proxy, provider, admin, accounts, close }
}

function killable(config: string, port: number, path: string, inspectorPort: number): Killable {
  let served: Served | undefined
  const options = ['--experimental', `--inspector-addr=127.0.0.1:${inspectorPort}`]
  return {
    url: `http://127.0.0.1:${port}`,
    memoryMb: () => (served ? residentMb(served.pid) : 0),
    heapMb: () => collectedHeapMb(inspectorPort),
    start: async () => {
      served ??= await serve(config, port, path, options)
    },
    kill: async () => {
      const ending = served
      served = undefined
      await ending?.close()
    },
  }
}

const residentMb = (pid: number): number =>
  Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) / 1_024

async function deliver(
  door: string,
  queue: string,
  messages: readonly QueuedMessage[],
): Promise<BatchVerdict> {
  const response = await fetch(door, { method: 'POST', body: JSON.stringify({ queue, messages }) })
  if (!response.ok) throw new Error(`the recorder's door answered ${response.status}`)
  return (await response.json()) as BatchVerdict
}
