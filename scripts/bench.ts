import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { gzipSync } from 'node:zlib'
import type { LoadResult, LoadTask } from './bench/load.ts'
import { startMockUpstream } from './bench/mock-upstream.ts'
import { bundle, capnp, freePort, pinSelf, type Served, serve } from './bench/workerd.ts'
import { DISTINCT } from './bench/workload.ts'

const USAGE = 'usage: npm run bench -- [--json] [--seconds N] [--rounds N] [--connections N]'
const ROOT = join(import.meta.dirname, '..')
const OUT = join(ROOT, 'dist/bench')
const PATH = '/v1/chat/completions'
const STARTS = 5

const options = readOptions()
mkdirSync(OUT, { recursive: true })
const say = (text: string) => console.error(text)

say('Bundling ...')
const production = bundle(ROOT, 'wrangler.toml', join(ROOT, 'dist/gateway'))
const bench = bundle(ROOT, 'scripts/bench/wrangler.toml', join(OUT, 'gateway'))
const ENTRY = join(bench, 'gateway-entry.js')
const HELLO = join(import.meta.dirname, 'bench/hello.js')
const upstream = await startMockUpstream()
const upstreamUrl = `http://127.0.0.1:${upstream.port}/v1`
const scenarios = {
  hello: await up('hello', HELLO, '/', {}),
  proxy: await up('proxy', join(import.meta.dirname, 'bench/proxy.js'), '/', {
    UPSTREAM: `${upstreamUrl}/chat/completions`,
  }),
  // Hits need a memory tier that holds every distinct request; misses run on the one that is the default.
  hits: await up('hits', ENTRY, '/healthz', {
    UPSTREAM: upstreamUrl,
    CACHE_MEMORY_ENTRIES: String(DISTINCT),
  }),
  misses: await up('misses', ENTRY, '/healthz', { UPSTREAM: upstreamUrl, CACHE_MEMORY_ENTRIES: '1000' }),
}
const generator = new Worker(join(import.meta.dirname, 'bench/load.ts'))
pinSelf()

say('Warming ...')
await load('hits', 'each')
for (const target of ['hello', 'proxy', 'hits'] as const) await load(target, 'zipf', false, 2)
await load('misses', 'unique', false, 2)

const runs: Record<string, LoadResult[]> = {
  hello: [],
  proxy: [],
  hit: [],
  miss: [],
  proxyStream: [],
  missStream: [],
}
for (let round = 1; round <= options.rounds; round++) {
  say(`Round ${round} of ${options.rounds} ...`)
  // Side by side within a round, so that whatever else the machine does meets all of them.
  runs.hello?.push(await load('hello', 'zipf'))
  runs.hit?.push(await load('hits', 'zipf'))
  runs.proxy?.push(await load('proxy', 'unique'))
  runs.miss?.push(await load('misses', 'unique'))
  runs.proxyStream?.push(await load('proxy', 'unique', true, 2, 1))
  runs.missStream?.push(await load('misses', 'unique', true, 2, 1))
}
const startup = { hello: await startups(HELLO, '/'), gateway: await startups(ENTRY, '/healthz') }
await Promise.all(Object.values(scenarios).map((served) => served.close()))
upstream.close()
await generator.terminate()
report()

function report(): void {
  const rps = (name: string) => median((runs[name] ?? []).map((run) => run.requests / run.seconds))
  const p50 = (name: string) => median((runs[name] ?? []).map((run) => run.p50Ms))
  const ratio = (name: string, base: string) =>
    median((runs[name] ?? []).map((run, i) => speed(run) / speed(runs[base]?.[i] as LoadResult)))
  const result = {
    hello_rps: Math.round(rps('hello')),
    proxy_rps: Math.round(rps('proxy')),
    hit_rps: Math.round(rps('hit')),
    miss_rps: Math.round(rps('miss')),
    hit_ratio: round(ratio('hit', 'hello')),
    miss_ratio: round(ratio('miss', 'proxy')),
    stream_first_byte_ms: round(p50('missStream')),
    proxy_stream_first_byte_ms: round(p50('proxyStream')),
    bundle_gzip_bytes: gzipBytes(production),
    startup_ms: Math.round(startup.gateway),
    hello_startup_ms: Math.round(startup.hello),
    failures: sum((run) => run.failures),
    hits_missed: (runs.hit ?? []).reduce((total, run) => total + run.requests - run.hits, 0),
    generator_cpu: round(
      Math.max(
        ...Object.values(runs)
          .flat()
          .map((run) => run.cpu),
      ),
    ),
  }
  if (options.json) {
    console.log(JSON.stringify(result))
    return
  }
  const spread = (name: string) => (runs[name] ?? []).map((run) => Math.round(speed(run))).join(' ')
  console.log(`
Raw workerd, one process and one core each; ${options.connections} connections, ${options.rounds} rounds of ${options.seconds} s, medians.
Bodies of 2 kB with 6 messages, 10,000 distinct requests (Zipf 1.0), 100 virtual keys. Auth, validation,
exact key, sealing and counting are on; KV, Redis and Supabase are stand-ins inside the isolate.

                            req/s     ratio   rounds
hello, bare             ${cell(result.hello_rps)}             ${spread('hello')}
exact hit, memory       ${cell(result.hit_rps)}  ${cell(result.hit_ratio)}   ${spread('hit')}   (of hello; wanted >= 0.40)
pass-through, bare      ${cell(result.proxy_rps)}             ${spread('proxy')}
miss, proxied           ${cell(result.miss_rps)}  ${cell(result.miss_ratio)}   ${spread('miss')}   (of pass-through; wanted >= 0.50)

first byte of a stream  ${cell(result.stream_first_byte_ms)} ms, bare pass-through ${result.proxy_stream_first_byte_ms} ms (one connection, median)
bundle                  ${cell(result.bundle_gzip_bytes)} bytes gzip (wanted <= 250,000)
start-up                ${cell(result.startup_ms)} ms to the first answer, bare hello ${result.hello_startup_ms} ms
failed answers ${result.failures}, hits that were none ${result.hits_missed}, generator at most ${Math.round(result.generator_cpu * 100)} % of a core${result.generator_cpu > 0.8 ? ' (too much: ratios are flattened)' : ''}
`)
}

async function up(
  name: string,
  mainFile: string,
  path: string,
  texts: Record<string, string>,
): Promise<Served> {
  const port = await freePort()
  return serve(capnp(join(OUT, `${name}.capnp`), mainFile, port, texts), port, path)
}

function load(
  target: keyof typeof scenarios,
  order: LoadTask['order'],
  stream = false,
  seconds = options.seconds,
  connections = options.connections,
): Promise<LoadResult> {
  const { port } = scenarios[target]
  const task: LoadTask = { port, path: PATH, connections, seconds, order, stream, seed: 42 }
  return new Promise((resolve, reject) => {
    generator.once('message', resolve)
    generator.once('error', reject)
    generator.postMessage(task)
  })
}

async function startups(mainFile: string, path: string): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < STARTS; i++) {
    const served = await up('start', mainFile, path, { UPSTREAM: upstreamUrl, CACHE_MEMORY_ENTRIES: '1000' })
    times.push(served.startupMs)
    await served.close()
  }
  return median(times)
}

function gzipBytes(dir: string): number {
  const files = readdirSync(dir).filter((name) => !name.endsWith('.map') && name !== 'README.md')
  return files.reduce((total, name) => total + gzipSync(readFileSync(join(dir, name))).length, 0)
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        json: { type: 'boolean' },
        seconds: { type: 'string' },
        rounds: { type: 'string' },
        connections: { type: 'string' },
      },
    })
    const [seconds, rounds, connections] = [
      Number(values.seconds ?? 5),
      Number(values.rounds ?? 5),
      Number(values.connections ?? 32),
    ]
    if ([seconds, rounds, connections].every((value) => value >= 1))
      return { json: values.json === true, seconds, rounds, connections }
  } catch {
    // The usage says it all.
  }
  console.error(USAGE)
  process.exit(2)
}

function sum(of: (run: LoadResult) => number): number {
  return Object.values(runs)
    .flat()
    .reduce((total, run) => total + of(run), 0)
}

function speed(run: LoadResult): number {
  return run.requests / run.seconds
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000
}

function cell(value: number): string {
  return value.toLocaleString('en-US').padStart(8)
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
