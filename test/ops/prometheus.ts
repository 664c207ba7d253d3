import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Sample {
  readonly metric: Readonly<Record<string, string>>
  readonly value: readonly [atSeconds: number, value: string]
}

export interface Prometheus {
  query(promql: string): Promise<readonly Sample[]>
  get(path: string, parameters?: Readonly<Record<string, string>>): Promise<unknown>
  close(): Promise<void>
}

/** A real Prometheus on loopback, with a store of its own. @param config may name files of `files` as `DIR/name` */
export async function startPrometheus(
  config: string,
  files: Readonly<Record<string, string>>,
): Promise<Prometheus> {
  const dir = mkdtempSync(join(tmpdir(), 'beast-prometheus-'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text)
  writeFileSync(join(dir, 'prometheus.yml'), config.replaceAll('DIR', dir))
  const address = `127.0.0.1:${await freePort()}`
  const child = spawn(
    'prometheus',
    [
      `--config.file=${dir}/prometheus.yml`,
      `--storage.tsdb.path=${dir}/data`,
      `--web.listen-address=${address}`,
      '--enable-feature=exemplar-storage',
    ],
    { stdio: 'ignore' },
  )
  const get = async (path: string, parameters: Readonly<Record<string, string>> = {}): Promise<unknown> => {
    const answer = await fetch(`http://${address}${path}?${new URLSearchParams(parameters)}`)
    const { status, data, error } = (await answer.json()) as Record<string, unknown>
    if (status !== 'success') throw new Error(`${path}: ${error}`)
    return data
  }
  return {
    get,
    query: async (query) => ((await get('/api/v1/query', { query })) as { result: Sample[] }).result,
    close: async () => {
      await ended(child)
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
