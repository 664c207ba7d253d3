import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundle, freePort, type Served, serve, writeConfig } from '../../scripts/bench/workerd.ts'
import { listen, readText } from '../../scripts/stack/http.ts'
import type { OutboxRecord, TelemetryMessage } from '../../src/feedback/outbox.ts'
import { ROOT } from './stores.ts'

/** Tenants' accounts as they would be deployed: on raw workerd and on disk, which a killed one leaves to the next. */
export interface AccountStack {
  start(): Promise<Served>
  /** The queue and the disk; whoever started a server ends it. */
  close(): Promise<void>
}

/**
 * @param door a worker's source, which reaches the objects as `env.ACCOUNT`
 * @param take what the queue does with a message: false = it is down
 */
export async function accountStack(
  door: string,
  take: (records: readonly OutboxRecord[]) => boolean,
): Promise<AccountStack> {
  const dir = mkdtempSync(join(tmpdir(), 'beast-account-'))
  for (const name of ['disk', 'door']) mkdirSync(join(dir, name))
  writeFileSync(join(dir, 'door/door.js'), door)
  const queue = await listen(0, async (request, response) => {
    const { records } = JSON.parse(await readText(request)) as TelemetryMessage
    if (!take(records)) return void request.socket.destroy()
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end('{"metadata":{"metrics":{"backlogCount":0,"backlogBytes":0}}}')
  })
  const main = {
    mainFile: join(dir, 'door/door.js'),
    bindings: ['(name = "ACCOUNT", durableObjectNamespace = (className = "Account", serviceName = "state"))'],
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
    `(name = "disk", disk = (path = "${join(dir, 'disk')}", writable = true))`,
    `(name = "queue", external = (address = "127.0.0.1:${queue.port}", http = ()))`,
  ]
  return {
    start: async () => {
      const port = await freePort()
      return serve(writeConfig(join(dir, 'all.capnp'), port, main, { state }, services), port, '/')
    },
    close: async () => {
      await queue.close()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
