import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Stores } from './stores.ts'
import { freePort, type Served, serve, writeConfig } from './workerd.ts'

/** What became of the look-ups, a tier each: how many were a hit, a miss, timed out, ... */
export type TierCounts = Readonly<Record<string, Readonly<Record<string, number>>>>

export interface LoopbackGateway extends Served {
  /** The gateway's own counts since it started. */
  tiers(): Promise<TierCounts>
}

export interface GatewayOptions {
  /** The file of its configuration. */
  readonly config: string
  /** Main files, bundled as for deployment. */
  readonly gateway: string
  readonly state: string
  readonly stores: Stores
  /** Where the state worker answers itself, should it have anything to say. */
  readonly statePort?: number
  /** Variables beside those of the stores. */
  readonly texts: Readonly<Record<string, string>>
}

/** The gateway and its Durable Objects as deployed, in one workerd, bound to the stores on loopback. */
export async function startGateway(options: GatewayOptions): Promise<LoopbackGateway> {
  // On disk, because objects that workerd holds in memory have no SQL.
  const disk = mkdtempSync(join(tmpdir(), 'beast-bench-'))
  const forget = () => rmSync(disk, { recursive: true, force: true })
  try {
    const port = await freePort()
    const served = await serve(configuration(options, port, disk), port, '/healthz')
    const close = () => served.close().finally(forget)
    const { stores } = await readiness(port, options.stores.operatorToken)
    const down = Object.keys(stores).filter((name) => stores[name] !== 'up')
    if (down.length === 0) {
      const tiers = async () => (await readiness(port, options.stores.operatorToken)).isolate.tiers
      return { ...served, close, tiers }
    }
    await close()
    throw new Error(`The gateway does not reach ${down.join(', ')} over loopback`)
  } catch (error) {
    forget()
    throw error
  }
}

function configuration(
  { config, gateway, state, statePort, stores, texts }: GatewayOptions,
  port: number,
  disk: string,
) {
  const main = {
    mainFile: gateway,
    texts: { ...stores.texts, ...texts },
    bindings: [
      '(name = "CACHE", kvNamespace = "kv")',
      '(name = "ACCOUNT", durableObjectNamespace = (className = "Account", serviceName = "state"))',
      '(name = "METRICS_SHARD", durableObjectNamespace = (className = "MetricsShard", serviceName = "state"))',
      '(name = "METRICS_HUB", durableObjectNamespace = (className = "MetricsHub", serviceName = "state"))',
      '(name = "TELEMETRY", queue = "queue")',
    ],
  }
  const objects = {
    mainFile: state,
    ...(statePort !== undefined && { port: statePort }),
    bindings: [
      '(name = "TELEMETRY", queue = "queue")',
      '(name = "METRICS_SHARD", durableObjectNamespace = "MetricsShard")',
      '(name = "METRICS_HUB", durableObjectNamespace = "MetricsHub")',
    ],
    more: [
      `durableObjectNamespaces = [${['Account', 'MetricsShard', 'MetricsHub']
        .map((name) => `(className = "${name}", uniqueKey = "${name.toLowerCase()}", enableSql = true)`)
        .join(', ')}]`,
      'durableObjectStorage = (localDisk = "disk")',
    ],
  }
  return writeConfig(config, port, main, { state: objects }, [
    `(name = "kv", external = (address = "127.0.0.1:${stores.kvPort}", http = ()))`,
    `(name = "queue", external = (address = "127.0.0.1:${stores.queuePort}", http = ()))`,
    `(name = "disk", disk = (path = "${disk}", writable = true))`,
  ])
}

interface Readiness {
  readonly stores: Readonly<Record<string, string>>
  readonly isolate: { readonly tiers: TierCounts }
}

async function readiness(port: number, operatorToken: string): Promise<Readiness> {
  const headers = { authorization: `Bearer ${operatorToken}` }
  const response = await fetch(`http://127.0.0.1:${port}/readyz`, { headers })
  return response.json() as Promise<Readiness>
}
