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
import { shardOfTeller } from '../../src/metrics/cost-counts.ts'
import type { MetricsSnapshot } from '../../src/metrics/snapshot.ts'
import {
  type BatchVerdict,
  type DurableQueue,
  type QueuedMessage,
  startDurableQueue,
} from './durable-queue.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'
import { collectedHeapMb } from './inspector.ts'
import { OPERATOR_TOKEN, ROOT, startTestSupabase, workerKeys } from './stores.ts'
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
  /** What the recorder had counted: the totals of its shard, which is killed with it and keeps its files. */
  counted(): Promise<MetricsSnapshot['counters']>
  close(): Promise<void>
}

/** As much as an isolate has on the platform, MB: by itself workerd lets it take gigabytes before it collects. */
const V8_FLAGS = ['--max-heap-size=128']

/** Hands what it is given to the recorder as the platform would: an event of a queue. */
const DOOR = `export default {
  async fetch(request, env) {
    if (request.method !== 'POST') {
      if (!request.url.includes('?shard=')) return new Response('ok')
      const shard = env.METRICS_SHARD.idFromName(new URL(request.url).searchParams.get('shard'))
      return Response.json((await env.METRICS_SHARD.get(shard).report(0)).totals.counters)
    }
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
  const [port, recorderPort] = [await freePort(), await freePort()]
  const queue = await running.own(() =>
    startDurableQueue({
      deliver: (name, messages) => deliver(`http://127.0.0.1:${recorderPort}`, name, messages),
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
  const { SUPABASE_RECORDER_KEY, SUPABASE_READER_KEY } = workerKeys(supabase.publishableKey)
  const ports = { port, kv: kv.port, queue: queue.port }
  const config = gatewayConfig(dir, ports, {
    SUPABASE_URL: proxy.url,
    SUPABASE_SECRET_KEY: supabase.secretKey,
    SUPABASE_READER_KEY,
    SIMULATED_PROVIDER_URL: provider.url,
  })
  const recorderFile = recorderConfig(dir, recorderPort, { SUPABASE_URL: proxy.url, SUPABASE_RECORDER_KEY })
  const [gateway, recorder] = [
    killable(config, port, '/healthz', await freePort()),
    killable(recorderFile, recorderPort, '/', await freePort()),
  ]
  for (const worker of [gateway, recorder]) {
    await running.own(() => ({ close: worker.kill }))
    await worker.start()
  }
  const admin = new AdminClient(gateway.url, OPERATOR_TOKEN)
  const counted = async () => {
    const [teller] = await supabase.sql<{ id: string }>('select id from cost_tellers')
    const shard = shardOfTeller(teller?.id ?? '')
    return (await (await fetch(`${recorder.url}/?shard=${shard}`)).json()) as MetricsSnapshot['counters']
  }
  const accounts = accountsIn(dir)
  return { gateway, recorder, queue, supabase, proxy, provider, admin, accounts, counted, close }
}

/** workerd's own folder for the class whose `uniqueKey` is "account". */
const accountsIn = (dir: string): string => join(dir, 'disk/account')

/** The gateway and its objects in one process, as deployed, their files in the folder. */
function gatewayConfig(
  dir: string,
  ports: { readonly port: number; readonly kv: number; readonly queue: number },
  texts: Readonly<Record<string, string>>,
): string {
  mkdirSync(join(dir, 'disk'))
  const external = (name: string, port: number) =>
    `(name = "${name}", external = (address = "127.0.0.1:${port}", http = ()))`
  const main = {
    mainFile: join(bundle(ROOT, 'wrangler.toml', join(dir, 'gateway')), 'index.js'),
    texts: {
      ...texts,
      ROOT_KEY: 'r'.repeat(42).concat('o'),
      KEY_PEPPER: 'k'.repeat(43),
      KEK_1: kek(1),
      OPERATOR_TOKEN,
      // Full soon, so that what grows after that is something else.
      CACHE_MEMORY_ENTRIES: '100',
      // A row for each hit.
      HIT_ROWS_PER_SECOND: '1000',
    },
    bindings: [
      '(name = "CACHE", kvNamespace = "kv")',
      '(name = "ACCOUNT", durableObjectNamespace = (className = "Account", serviceName = "state"))',
      '(name = "TELEMETRY", queue = "queue")',
    ],
  }
  const state = {
    mainFile: join(bundle(ROOT, 'workers/state/wrangler.toml', join(dir, 'state')), 'index.js'),
    bindings: ['(name = "TELEMETRY", queue = "queue")'],
    more: [
      'durableObjectNamespaces = [(className = "Account", uniqueKey = "account", enableSql = true)]',
      'durableObjectStorage = (localDisk = "disk")',
    ],
  }
  const services = [
    external('kv', ports.kv),
    external('queue', ports.queue),
    `(name = "disk", disk = (path = "${join(dir, 'disk')}", writable = true))`,
  ]
  return writeConfig(join(dir, 'gateway.capnp'), ports.port, main, { state }, services, V8_FLAGS)
}

function recorderConfig(dir: string, port: number, texts: Readonly<Record<string, string>>): string {
  mkdirSync(join(dir, 'door'))
  mkdirSync(join(dir, 'shards'))
  const mainFile = join(dir, 'door/door.js')
  const objects = (name: string, className: string, service: string) =>
    `(name = "${name}", durableObjectNamespace = (className = "${className}", serviceName = "${service}"))`
  const shards = objects('METRICS_SHARD', 'MetricsShard', 'state')
  writeFileSync(mainFile, DOOR)
  const door = {
    mainFile,
    bindings: ['(name = "RECORDER", service = "recorder")', shards],
    flags: ['service_binding_extra_handlers'],
  }
  const built = bundle(ROOT, 'workers/recorder/wrangler.toml', join(dir, 'recorder'))
  const recorder = { mainFile: join(built, 'index.js'), texts, bindings: [shards] }
  // The gateway's own objects are another process's.
  const classes = ['MetricsShard', 'MetricsHub'].map(
    (name) => `(className = "${name}", uniqueKey = "${name}", enableSql = true)`,
  )
  const state = {
    mainFile: join(bundle(ROOT, 'workers/state/wrangler.toml', join(dir, 'shard-state')), 'index.js'),
    bindings: [shards, objects('METRICS_HUB', 'MetricsHub', 'state')],
    more: [
      `durableObjectNamespaces = [${classes.join(', ')}]`,
      'durableObjectStorage = (localDisk = "shards")',
    ],
  }
  const disk = `(name = "shards", disk = (path = "${join(dir, 'shards')}", writable = true))`
  return writeConfig(join(dir, 'recorder.capnp'), port, door, { recorder, state }, [disk], V8_FLAGS)
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
