import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { dirname, join, relative } from 'node:path'

const COMPATIBILITY = 'compatibilityDate = "2026-08-04", compatibilityFlags = ["enable_request_signal"]'

/** The workerd that wrangler brings. */
export const workerdBinary = (): string => {
  const platform = `${process.platform}-${process.arch === 'x64' ? '64' : process.arch}`
  return createRequire(import.meta.url).resolve(`@cloudflare/workerd-${platform}/bin/workerd`)
}

/**
 * Bundles a worker as for deployment.
 * @param outDir whole path of the folder for its modules
 */
export function bundle(root: string, config: string, outDir: string): string {
  execFileSync(
    process.execPath,
    ['node_modules/wrangler/bin/wrangler.js', 'deploy', '--dry-run', '-c', config, '--outdir', outDir],
    {
      cwd: root,
      stdio: 'pipe',
      env: { ...process.env, WRANGLER_SEND_METRICS: 'false', DO_NOT_TRACK: '1' },
    },
  )
  return outDir
}

/** A configuration that serves one worker. @param texts its text bindings */
export function capnp(
  file: string,
  mainFile: string,
  port: number,
  texts: Readonly<Record<string, string>>,
): string {
  const dir = dirname(mainFile)
  // workerd reads what it embeds relative to the configuration.
  const embed = (path: string) => relative(dirname(file), path)
  const assets = readdirSync(dir).filter((name) => name.endsWith('.html') || name.endsWith('.css'))
  const modules = [
    `(name = "main", esModule = embed "${embed(mainFile)}")`,
    ...assets.map((name) => `(name = "${name}", text = embed "${embed(join(dir, name))}")`),
  ]
  const bindings = Object.entries(texts).map(([name, text]) => `(name = "${name}", text = "${text}")`)
  writeFileSync(
    file,
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .main), (name = "internet", network = (allow = ["public", "private"]))],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]);
const main :Workerd.Worker = (modules = [${modules.join(', ')}], ${COMPATIBILITY},
  bindings = [${bindings.join(', ')}]);
`,
  )
  return file
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise<void>((resolve) => server.close(() => resolve()))
  return port
}

const pinned = spawnSync('taskset', ['--version']).status === 0

/** Puts this program, with the load and the mock in it, on the second core, out of the way of what is measured. */
export function pinSelf(): void {
  if (pinned) spawnSync('taskset', ['-a', '-p', '-c', '1', String(process.pid)])
}

export interface Served {
  readonly port: number
  /** From the process's start to its first good answer, milliseconds. */
  readonly startupMs: number
  close(): Promise<void>
}

/** Serves the configuration on the first core, where that can be said. */
export async function serve(config: string, port: number, path: string): Promise<Served> {
  const command = [workerdBinary(), 'serve', config]
  const started = performance.now()
  const [program = '', ...args] = pinned ? ['taskset', '-c', '0', ...command] : command
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  await untilAnswering(`http://127.0.0.1:${port}${path}`, child)
  return { port, startupMs: performance.now() - started, close: () => end(child) }
}

async function untilAnswering(url: string, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 1_000 && child.exitCode === null; tries++) {
    const response = await fetch(url, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined)
    await response?.body?.cancel()
    if (response?.ok) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error(`workerd did not answer at ${url}`)
}

function end(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve())
    child.kill('SIGKILL')
  })
}
