import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundle, freePort, serve, type WorkerPart, writeConfig } from '../../scripts/bench/workerd.ts'
import type { RequestEvent } from '../../src/routing/settlement.ts'
import { createVirtualKey } from '../../src/tenants/virtual-key.ts'
import { ROOT } from './stores.ts'
import { startUpstream, type UpstreamFaults } from './upstream-faults.ts'

/** Isolates, each a gateway of its own: the first three share flights, the third one serves another tenant. */
const GATEWAYS = {
  main: { tenant: 't', deadlineMs: 20_000, className: 'Flight' },
  other: { tenant: 't', deadlineMs: 20_000, className: 'Flight' },
  rival: { tenant: 'rival', deadlineMs: 20_000, className: 'Flight' },
  hasty: { tenant: 't', deadlineMs: 400, className: 'Flight' },
  silent: { tenant: 't', deadlineMs: 20_000, className: 'SilentFlight' },
  broken: { tenant: 't', deadlineMs: 20_000, className: 'BrokenFlight' },
} as const
export type GatewayName = keyof typeof GATEWAYS

export interface Load {
  readonly flights: number
  readonly followers: number
  readonly length: number
}

export interface FlightsStack {
  readonly upstream: UpstreamFaults
  ask(body: object, at?: GatewayName, headers?: Readonly<Record<string, string>>): Promise<Response>
  /** A caller whose connection is in our hands. */
  caller(body: object, at?: GatewayName): Promise<Socket>
  events(at?: GatewayName): Promise<RequestEvent[]>
  /** How many answers were written below the isolate's memory. */
  stored(at?: GatewayName): Promise<number>
  load(): Promise<Load>
  close(): Promise<void>
}

/** Raw workerd with all of these gateways and the directory between them. */
export async function startFlights(): Promise<FlightsStack> {
  const dir = mkdtempSync(join(tmpdir(), 'beast-flights-'))
  const upstream = await startUpstream()
  const entry = join(bundle(ROOT, 'test/support/flights-wrangler.toml', join(dir, 'out')), 'flights-entry.js')
  const state = bundle(ROOT, 'workers/state/wrangler.toml', join(dir, 'state'))
  const part = (name: GatewayName): WorkerPart => {
    const { tenant, deadlineMs, className } = GATEWAYS[name]
    const service = className === 'Flight' ? 'state' : name
    return {
      mainFile: entry,
      texts: {
        UPSTREAM: upstream.url,
        TENANT: tenant,
        DEADLINE_MS: String(deadlineMs),
        // A directory that is well must not be given up because this machine has other work to do.
        JOIN_MS: className === 'Flight' ? '5000' : '50',
      },
      bindings: [
        `(name = "FLIGHT", durableObjectNamespace = (className = "${className}", serviceName = "${service}"))`,
      ],
      more: service === name ? objects(className) : [],
    }
  }
  const { main, ...others } = GATEWAYS
  const names = Object.keys(others) as GatewayName[]
  const ports = new Map<GatewayName, number>([['main', await freePort()]])
  for (const name of names) ports.set(name, await freePort())
  const port = (name: GatewayName) => ports.get(name) ?? 0
  const parts = Object.fromEntries(names.map((name) => [name, part(name)]))
  const directory = { mainFile: join(state, 'index.js'), more: objects('Flight') }
  const file = writeConfig(join(dir, 'all.capnp'), port('main'), part('main'), { ...parts, state: directory })
  const sockets = names.map(
    (name) => `(name = "${name}", address = "127.0.0.1:${port(name)}", http = (), service = "${name}")`,
  )
  writeFileSync(file, readFileSync(file, 'utf8').replace('sockets = [', `sockets = [${sockets.join(', ')}, `))
  const served = await serve(file, port('main'), '/healthz')
  const url = (at: GatewayName = 'main') => `http://127.0.0.1:${port(at)}`
  const authorization = `Bearer ${createVirtualKey()}`
  return {
    upstream,
    ask: (body, at, headers) =>
      fetch(`${url(at)}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization, ...headers },
        body: JSON.stringify(body),
      }),
    caller: async (body, at = 'main') => {
      const text = JSON.stringify(body)
      const socket = connect(port(at), '127.0.0.1')
      socket.on('error', () => {})
      await new Promise<void>((resolve) => socket.once('connect', () => resolve()))
      socket.write(
        `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: ${authorization}\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
      )
      return socket
    },
    events: async (at) => (await fetch(`${url(at)}/events`)).json() as never,
    stored: async (at) => (await fetch(`${url(at)}/stored`)).json() as never,
    load: async () => (await fetch(`${url()}/load`)).json() as never,
    close: async () => {
      await served.close()
      await upstream.close()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

const objects = (className: string): readonly string[] => [
  `durableObjectNamespaces = [(className = "${className}", uniqueKey = "${className}", enableSql = true)]`,
  'durableObjectStorage = (inMemory = void)',
]
