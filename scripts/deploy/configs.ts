import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { experimental_readRawConfig as readRawConfig } from 'wrangler'
import type { Jurisdiction } from './cloudflare.ts'

export type Part = 'state' | 'recorder' | 'scheduler' | 'gateway'

/** The workers in the order of deployment: none is deployed before what it is bound to. */
export const WORKERS: readonly { readonly part: Part; readonly name: string; readonly config: string }[] = [
  { part: 'state', name: 'beast-state', config: 'workers/state/wrangler.toml' },
  { part: 'recorder', name: 'beast-recorder', config: 'workers/recorder/wrangler.toml' },
  { part: 'gateway', name: 'beast-gateway', config: 'wrangler.toml' },
  { part: 'scheduler', name: 'beast-scheduler', config: 'workers/scheduler/wrangler.toml' },
]
export const GATEWAY = 'beast-gateway'
export const STATE = 'beast-state'
export const KV_TITLE = 'beast-cache'
/** Dead letters first: the queue before them names theirs. */
export const QUEUES = ['beast-telemetry-dead', 'beast-telemetry']
/** Tells a later run, and whoever looks, where Durable Objects lie. */
export const JURISDICTION_VAR = 'DURABLE_OBJECT_JURISDICTION'

/** Entries under which Durable Objects stay in the jurisdiction. */
const CONFINED: Partial<Record<Part, string>> = {
  state: 'workers/jurisdiction/state.ts',
  recorder: 'workers/jurisdiction/recorder.ts',
  gateway: 'workers/jurisdiction/gateway.ts',
}

export interface Resources {
  readonly accountId: string
  readonly kvId: string
  readonly jurisdiction: Jurisdiction | undefined
}

/** The committed configurations with what belongs to one account, by part: written beside them, never into them. */
export function deployConfigs(root: string, resources: Resources): Readonly<Record<string, string>> {
  return Object.fromEntries(WORKERS.map((worker) => [worker.part, text(root, worker, resources)]))
}

function text(
  root: string,
  { part, config }: (typeof WORKERS)[number],
  { accountId, kvId, jurisdiction }: Resources,
): string {
  const path = join(root, config)
  const { rawConfig } = readRawConfig({ config: path })
  const { dev: _, ...committed } = rawConfig
  const confined = jurisdiction && CONFINED[part]
  const deployed = {
    ...committed,
    account_id: accountId,
    main: confined ? join(root, confined) : resolve(dirname(path), rawConfig.main ?? ''),
    // The configuration is read from another folder than the committed one.
    ...(rawConfig.assets?.directory && {
      assets: { ...rawConfig.assets, directory: resolve(dirname(path), rawConfig.assets.directory) },
    }),
    ...(rawConfig.build && { build: { ...rawConfig.build, cwd: dirname(path) } }),
    // What is set by hand in the dashboard outlives a deployment.
    keep_vars: true,
    workers_dev: part === 'gateway',
    preview_urls: false,
    ...(rawConfig.kv_namespaces && {
      kv_namespaces: rawConfig.kv_namespaces.map((space: { readonly id?: string }) =>
        space.id === KV_TITLE ? { ...space, id: kvId } : space,
      ),
    }),
    ...(confined && { vars: { ...rawConfig.vars, [JURISDICTION_VAR]: jurisdiction } }),
  }
  return `${JSON.stringify(deployed, null, 2)}\n`
}

export const configPath = (deployDir: string, part: string): string => join(deployDir, `${part}.json`)

export function writeConfigs(deployDir: string, configs: Readonly<Record<string, string>>): void {
  mkdirSync(deployDir, { recursive: true })
  for (const [part, config] of Object.entries(configs)) writeFileSync(configPath(deployDir, part), config)
}
