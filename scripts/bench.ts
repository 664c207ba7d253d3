import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import { startGenerator } from './bench/generator.ts'
import type { LoadTask } from './bench/load.ts'
import { measureLoopback } from './bench/loopback.ts'
import { startMockUpstream } from './bench/mock-upstream.ts'
import { measureOperations } from './bench/operations.ts'
import { type Measured, median, type Runs, summarise, table } from './bench/report.ts'
import { Running, runToTheEnd } from './bench/running.ts'
import { selectionCost } from './bench/selection.ts'
import { bundle, capnp, freePort, pinSelf, type Served, serve, writeConfig } from './bench/workerd.ts'
import { DISTINCT } from './bench/workload.ts'

const USAGE = 'usage: npm run bench -- [--json] [--seconds N] [--rounds N] [--connections N] [--no-loopback]'
const ROOT = join(import.meta.dirname, '..')
const OUT = join(ROOT, 'dist/bench')
const HELLO = join(ROOT, 'scripts/bench/hello.js')
const PROXY = join(ROOT, 'scripts/bench/proxy.js')
const PATH = '/v1/chat/completions'
const STARTS = 5
const MEMORY_ENTRIES = '1000'

const options = readOptions()
const say = (text: string) => console.error(text)
const running = new Running()
await runToTheEnd(running, async () => {
  const measured = await measure()
  const result = summarise(measured)
  console.log(options.json ? JSON.stringify(result) : table(measured, result, options))
})

async function measure(): Promise<Measured> {
  mkdirSync(OUT, { recursive: true })
  say('Bundling ...')
  const production = bundle(ROOT, 'wrangler.toml', join(ROOT, 'dist/gateway'))
  const bench = bundle(ROOT, 'scripts/bench/wrangler.toml', join(OUT, 'gateway'))
  const entry = join(bench, 'gateway-entry.js')
  const upstream = await running.own(startMockUpstream)
  const upstreamUrl = `http://127.0.0.1:${upstream.port}/v1`
  const generator = await running.own(startGenerator)
  const texts = { UPSTREAM: upstreamUrl, CACHE_MEMORY_ENTRIES: MEMORY_ENTRIES }
  const scenarios = {
    hello: await up('hello', HELLO, '/', {}),
    proxy: await up('proxy', PROXY, '/', { UPSTREAM: `${upstreamUrl}/chat/completions` }),
    // Hits need a memory tier that holds every distinct request; misses run on the one that is the default.
    hits: await up('hits', entry, '/healthz', { ...texts, CACHE_MEMORY_ENTRIES: String(DISTINCT) }),
    // The same without what counts for /metrics: the difference is its cost.
    uncounted: await up('uncounted', entry, '/healthz', {
      ...texts,
      CACHE_MEMORY_ENTRIES: String(DISTINCT),
      COUNTED: 'no',
    }),
    misses: await up('misses', entry, '/healthz', texts),
    // The same with a directory of flights, beside which nothing is shared: the difference is its price.
    flights: await upWithFlights(entry, texts),
  }
  pinSelf()
  const load = (
    target: keyof typeof scenarios,
    order: LoadTask['order'],
    seconds = options.seconds,
    { stream, connections } = { stream: false, connections: options.connections },
  ) => {
    const { port } = scenarios[target]
    return generator.run({
      port,
      path: PATH,
      connections,
      seconds,
      order,
      distinct: DISTINCT,
      stream,
      seed: 42,
    })
  }

  say('Warming ...')
  await load('hits', 'each')
  await load('uncounted', 'each')
  // Until the engine has optimised what is hot: a miss takes the longest way, so it takes longest to be warm.
  for (const target of ['hello', 'proxy', 'hits', 'uncounted'] as const) await load(target, 'zipf', 3)
  for (const target of ['misses', 'flights'] as const) await load(target, 'unique', 6)

  const runs: Runs = {
    hello: [],
    proxy: [],
    hit: [],
    uncounted: [],
    miss: [],
    missFlight: [],
    proxyStream: [],
    missStream: [],
  }
  const streamed = { stream: true, connections: 1 }
  for (let round = 1; round <= options.rounds; round++) {
    say(`Round ${round} of ${options.rounds} ...`)
    // Side by side within a round, so that whatever else the machine does meets all of them.
    runs.hello.push(await load('hello', 'zipf'))
    runs.hit.push(await load('hits', 'zipf'))
    runs.uncounted.push(await load('uncounted', 'zipf'))
    runs.proxy.push(await load('proxy', 'unique'))
    runs.miss.push(await load('misses', 'unique'))
    runs.missFlight.push(await load('flights', 'unique'))
    runs.proxyStream.push(await load('proxy', 'unique', 2, streamed))
    runs.missStream.push(await load('misses', 'unique', 2, streamed))
  }
  const startup = {
    hello: await startups(HELLO, '/', texts),
    gateway: await startups(entry, '/healthz', texts),
  }
  await Promise.all(Object.values(scenarios).map((served) => served.close()))
  const bundleGzipBytes = gzipBytes(production)
  const selection = selectionCost()
  const alone = { runs, startup, bundleGzipBytes, selection }
  if (!options.loopback) return { ...alone, loopback: undefined, operations: undefined }

  say('The same over loopback ...')
  const parts = {
    root: ROOT,
    out: OUT,
    gateway: join(production, 'index.js'),
    upstreamUrl,
    path: PATH,
    running,
  }
  const { rounds, connections } = options
  const loopback = await measureLoopback({ ...parts, generator, rounds, connections })
  say('What a request costs ...')
  return { ...alone, loopback, operations: await measureOperations(parts) }
}

async function up(
  name: string,
  mainFile: string,
  path: string,
  texts: Record<string, string>,
): Promise<Served> {
  const port = await freePort()
  return running.own(() => serve(capnp(join(OUT, `${name}.capnp`), mainFile, port, texts), port, path))
}

async function upWithFlights(mainFile: string, texts: Record<string, string>): Promise<Served> {
  const state = bundle(ROOT, 'workers/state/wrangler.toml', join(OUT, 'state'))
  const port = await freePort()
  const bindings = [
    '(name = "FLIGHT", durableObjectNamespace = (className = "Flight", serviceName = "state"))',
  ]
  const more = [
    'durableObjectNamespaces = [(className = "Flight", uniqueKey = "flight", enableSql = true)]',
    'durableObjectStorage = (inMemory = void)',
  ]
  const parts = { state: { mainFile: join(state, 'index.js'), more } }
  const config = writeConfig(join(OUT, 'flights.capnp'), port, { mainFile, texts, bindings }, parts)
  return running.own(() => serve(config, port, '/healthz'))
}

async function startups(mainFile: string, path: string, texts: Record<string, string>): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < STARTS; i++) {
    const served = await up('start', mainFile, path, texts)
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
        'no-loopback': { type: 'boolean' },
      },
    })
    const [seconds, rounds, connections] = [
      Number(values.seconds ?? 5),
      Number(values.rounds ?? 5),
      Number(values.connections ?? 32),
    ]
    const loopback = values['no-loopback'] !== true
    if ([seconds, rounds, connections].every((value) => value >= 1))
      return { json: values.json === true, seconds, rounds, connections, loopback }
  } catch {
    // The usage says it all.
  }
  console.error(USAGE)
  process.exit(2)
}
