import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startGenerator } from './generator.ts'
import type { LoadTask } from './load.ts'
import { startMockUpstream } from './mock-upstream.ts'
import { median } from './report.ts'
import { Running, runToTheEnd } from './running.ts'
import { bundle, capnp, freePort, pinSelf, type Served, serve } from './workerd.ts'
import { DISTINCT } from './workload.ts'

// What counting a request for /metrics costs, in CPU time of the whole workerd process: the gateway with and without,
// in turns, so that whatever else the machine does meets both.

const USAGE = 'usage: node scripts/bench/recording-cost.ts [--requests N] [--rounds N] [--misses]'
const ROOT = join(import.meta.dirname, '../..')
const OUT = join(ROOT, 'dist/bench')
const PATH = '/v1/chat/completions'
const CONNECTIONS = 32
/** Microseconds that it may cost a request. */
const BOUND_US = 20
/** Until the engine has optimised what is hot. */
const WARMING_REQUESTS = 20_000

const SIDES = ['counted', 'uncounted'] as const
type Side = (typeof SIDES)[number]

const options = readOptions()
const running = new Running()
await runToTheEnd(running, async () => {
  const costs = await measure()
  const differences = costs.counted.map((us, round) => us - (costs.uncounted[round] ?? 0))
  const costUs = median(differences)
  const rounded = (values: readonly number[]) => values.map((us) => Number(us.toFixed(2)))
  console.log(
    JSON.stringify({
      ...options,
      counted_us: rounded(costs.counted),
      uncounted_us: rounded(costs.uncounted),
      differences_us: rounded(differences),
      median_us: Number(costUs.toFixed(2)),
      bound_us: BOUND_US,
      holds: costUs <= BOUND_US,
    }),
  )
  if (costUs > BOUND_US) process.exitCode = 1
})

/** CPU microseconds a request, a round each. */
async function measure(): Promise<Record<Side, number[]>> {
  mkdirSync(OUT, { recursive: true })
  const dir = bundle(ROOT, 'scripts/bench/wrangler.toml', join(OUT, 'recording'))
  const upstream = await running.own(startMockUpstream)
  const generator = await running.own(startGenerator)
  const up = async (side: Side) => {
    const port = await freePort()
    const texts = {
      UPSTREAM: `http://127.0.0.1:${upstream.port}/v1`,
      // Hits need a memory tier that holds every distinct request; misses run on the one that is the default.
      CACHE_MEMORY_ENTRIES: options.misses ? '1000' : String(DISTINCT),
      COUNTED: side === 'counted' ? 'yes' : 'no',
    }
    const config = capnp(join(OUT, `recording-${side}.capnp`), join(dir, 'gateway-entry.js'), port, texts)
    return running.own(() => serve(config, port, '/healthz'))
  }
  const served = { counted: await up('counted'), uncounted: await up('uncounted') }
  pinSelf()
  const ask = (side: Side, order: LoadTask['order'], requests?: number) =>
    generator.run({
      port: served[side].port,
      path: PATH,
      connections: CONNECTIONS,
      seconds: 3_600,
      order,
      ...(requests && { requests }),
      distinct: DISTINCT,
      stream: false,
      seed: 42,
    })
  const order = options.misses ? 'unique' : 'zipf'
  for (const side of SIDES) {
    if (!options.misses) await ask(side, 'each')
    await ask(side, order, WARMING_REQUESTS)
  }
  const costs: Record<Side, number[]> = { counted: [], uncounted: [] }
  for (let round = 0; round < options.rounds; round++) {
    // Each goes first in turn.
    for (const side of round % 2 === 0 ? SIDES : SIDES.toReversed()) {
      const before = cpuUs(served[side])
      const { requests, failures, hits } = await ask(side, order, options.requests)
      const isAsMeant = failures === 0 && (options.misses ? hits === 0 : hits === requests)
      if (!isAsMeant) throw new Error(`${side}: of ${requests} ${failures} failed, ${hits} were hits`)
      costs[side].push((cpuUs(served[side]) - before) / requests)
    }
  }
  return costs
}

/** CPU time of every thread of the process: its own file names the first alone. */
function cpuUs({ pid }: Served): number {
  const tasks = `/proc/${pid}/task`
  const ns = readdirSync(tasks).map((id) =>
    Number(readFileSync(join(tasks, id, 'schedstat'), 'latin1').split(' ', 1)[0]),
  )
  return ns.reduce((total, each) => total + each, 0) / 1_000
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: { requests: { type: 'string' }, rounds: { type: 'string' }, misses: { type: 'boolean' } },
    })
    const [requests, rounds] = [Number(values.requests ?? 100_000), Number(values.rounds ?? 5)]
    if (requests >= 1 && rounds >= 1) return { requests, rounds, misses: values.misses === true }
  } catch {
    // The usage says it all.
  }
  console.error(USAGE)
  process.exit(2)
}
