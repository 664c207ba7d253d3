import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundle, freePort, serve, writeConfig } from '../../scripts/bench/workerd.ts'
import { ROOT } from './stores.ts'

/** Gateways in one workerd, an isolate each, with the metrics' real objects on disk. */
export interface MetricsFleet {
  readonly ports: readonly number[]
  /** Of a worker that asks one more gateway on behalf of callers, and leaves as the platform does when they leave. */
  readonly frontPort: number
  close(): Promise<void>
}

/** Sends what it is given to the gateway, whose look-ups take 90 ms, and hangs up before they can be over. */
const FRONT = `export default {
  async fetch(request, env) {
    const { key, text, ms } = await request.json()
    const leaving = new AbortController()
    setTimeout(() => leaving.abort(), ms)
    const headers = { authorization: 'Bearer ' + key }
    const init = { method: 'POST', body: text, headers, signal: leaving.signal }
    const answer = await env.GATEWAY.fetch('http://gateway/v1/chat/completions', init).catch(() => undefined)
    return new Response(answer ? 'answered' : 'left')
  }
}`

const binding = (name: string, className: string, service = '') =>
  `(name = "${name}", durableObjectNamespace = ${service ? `(className = "${className}", serviceName = "${service}")` : `"${className}"`})`

export async function startMetricsFleet(
  gateways: number,
  upstreamUrl: string,
  token: string,
): Promise<MetricsFleet> {
  const dir = mkdtempSync(join(tmpdir(), 'beast-exact-'))
  mkdirSync(join(dir, 'disk'))
  const gateway = bundle(ROOT, 'test/support/metrics-wrangler.toml', join(dir, 'gateway'))
  const state = bundle(ROOT, 'test/support/metrics-state-wrangler.toml', join(dir, 'state'))
  const one = {
    mainFile: join(gateway, 'metrics-entry.js'),
    texts: { UPSTREAM: upstreamUrl, CACHE_MEMORY_ENTRIES: '100', METRICS_TOKEN: token },
    bindings: [
      binding('METRICS_SHARD', 'MetricsShard', 'state'),
      binding('METRICS_HUB', 'MetricsHub', 'state'),
    ],
  }
  const objects = {
    mainFile: join(state, 'metrics-state.js'),
    bindings: [binding('METRICS_SHARD', 'MetricsShard'), binding('METRICS_HUB', 'MetricsHub')],
    more: [
      `durableObjectNamespaces = [${['MetricsShard', 'MetricsHub']
        .map((name) => `(className = "${name}", uniqueKey = "${name}", enableSql = true)`)
        .join(', ')}]`,
      'durableObjectStorage = (localDisk = "disk")',
    ],
  }
  const disk = `(name = "disk", disk = (path = "${join(dir, 'disk')}", writable = true))`
  const ports: number[] = []
  for (let i = 0; i < gateways; i++) ports.push(await freePort())
  mkdirSync(join(dir, 'front'))
  writeFileSync(join(dir, 'front/front.js'), FRONT)
  const slow = { ...one, texts: { ...one.texts, STAND_IN_MS: '30' } }
  const front = { mainFile: join(dir, 'front/front.js'), bindings: ['(name = "GATEWAY", service = "slow")'] }
  const others = {
    ...Object.fromEntries(ports.slice(1).map((_, i) => [`gateway${i + 1}`, one])),
    slow,
    front,
  }
  const frontPort = await freePort()
  const [first = 0] = ports
  const config = writeConfig(join(dir, 'all.capnp'), first, one, { ...others, state: objects }, [disk])
  // An isolate each, at a port of its own.
  const inner = ports
    .slice(1)
    .map(
      (port, i) =>
        `(name = "http${i}", address = "127.0.0.1:${port}", http = (), service = "gateway${i + 1}")`,
    )
  const outer = `(name = "front", address = "127.0.0.1:${frontPort}", http = (), service = "front")`
  const sockets = [...inner, outer]
  writeFileSync(
    config,
    readFileSync(config, 'utf8').replace('sockets = [', `sockets = [${sockets.join(', ')}, `),
  )
  const forget = () => rmSync(dir, { recursive: true, force: true })
  try {
    const served = await serve(config, first, '/healthz')
    return { ports, frontPort, close: () => served.close().finally(forget) }
  } catch (error) {
    forget()
    throw error
  }
}
