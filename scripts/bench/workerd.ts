import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { dirname, join, relative, resolve } from 'node:path'

const COMPATIBILITY_DATE = '2026-08-04'
const COMPATIBILITY_FLAGS = ['enable_request_signal']

/** The workerd that wrangler brings. */
export const workerdBinary = (): string => {
  const platform = `${process.platform}-${process.arch === 'x64' ? '64' : process.arch}`
  return createRequire(import.meta.url).resolve(`@cloudflare/workerd-${platform}/bin/workerd`)
}

/**
 * Bundles a worker as for deployment.
 * @param config,outDir seen from the root; wrangler itself would look for the folder beside the configuration
 * @returns whole path of the folder with its modules
 */
export function bundle(root: string, config: string, outDir: string): string {
  const out = resolve(root, outDir)
  // Assets carry their digest in their name: those of an earlier bundle would stay, and be counted.
  rmSync(out, { recursive: true, force: true })
  execFileSync(
    process.execPath,
    [
      join(root, 'node_modules/wrangler/bin/wrangler.js'),
      'deploy',
      '--dry-run',
      '-c',
      resolve(root, config),
      '--outdir',
      out,
    ],
    {
      cwd: root,
      stdio: 'pipe',
      env: { ...process.env, WRANGLER_SEND_METRICS: 'false', DO_NOT_TRACK: '1' },
    },
  )
  return out
}

/** A worker as a configuration has it. */
export interface WorkerPart {
  readonly mainFile: string
  /** Its text bindings. */
  readonly texts?: Readonly<Record<string, string>>
  /** Its other bindings, as Cap'n Proto text. */
  readonly bindings?: readonly string[]
  /** What else is said of it, as Cap'n Proto text. */
  readonly more?: readonly string[]
  /** Where it answers on loopback itself; the worker "main" always does. */
  readonly port?: number
  /** Compatibility flags beside the gateway's own. */
  readonly flags?: readonly string[]
}

/**
 * Writes a configuration that serves the worker "main" on loopback.
 * @param others workers that it is bound to, by name
 * @param services what the workers reach beside one another and the network, as Cap'n Proto text
 * @param v8Flags as V8 has them; every isolate of the process gets them
 */
export function writeConfig(
  file: string,
  port: number,
  main: WorkerPart,
  others: Readonly<Record<string, WorkerPart>> = {},
  services: readonly string[] = [],
  v8Flags: readonly string[] = [],
): string {
  const workers = Object.entries({ main: { ...main, port }, ...others })
  const sockets = workers.flatMap(([name, part]) =>
    part.port === undefined
      ? []
      : [`(name = "${name}", address = "127.0.0.1:${part.port}", http = (), service = "${name}")`],
  )
  const all = [
    ...workers.map(([name]) => `(name = "${name}", worker = .${name})`),
    ...services,
    '(name = "internet", network = (allow = ["public", "private"]))',
  ]
  writeFileSync(
    file,
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [${all.join(', ')}],
  v8Flags = [${v8Flags.map((flag) => `"${flag}"`).join(', ')}],
  sockets = [${sockets.join(', ')}]);
${workers.map(([name, part]) => `const ${name} :Workerd.Worker = (${workerText(dirname(file), part)});\n`).join('')}`,
  )
  return file
}

/** A configuration that serves one worker. @param texts its text bindings */
export const capnp = (
  file: string,
  mainFile: string,
  port: number,
  texts: Readonly<Record<string, string>>,
): string => writeConfig(file, port, { mainFile, texts })

function workerText(
  configDir: string,
  { mainFile, texts = {}, bindings = [], more = [], flags = [] }: WorkerPart,
): string {
  const dir = dirname(mainFile)
  // workerd reads what it embeds relative to the configuration.
  const embed = (path: string) => relative(configDir, path)
  const assets = readdirSync(dir).filter((name) => name.endsWith('.html') || name.endsWith('.css'))
  const modules = [
    `(name = "main", esModule = embed "${embed(mainFile)}")`,
    ...assets.map((name) => `(name = "${name}", text = embed "${embed(join(dir, name))}")`),
  ]
  const bound = [
    ...Object.entries(texts).map(([name, text]) => `(name = "${name}", text = "${text}")`),
    ...bindings,
  ]
  return [
    `modules = [${modules.join(', ')}]`,
    `compatibilityDate = "${COMPATIBILITY_DATE}"`,
    `compatibilityFlags = [${[...COMPATIBILITY_FLAGS, ...flags].map((flag) => `"${flag}"`).join(', ')}]`,
    `bindings = [${bound.join(', ')}]`,
    ...more,
  ].join(', ')
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
  readonly pid: number
  /** From the process's start to its first good answer, milliseconds. */
  readonly startupMs: number
  close(): Promise<void>
}

/**
 * Serves the configuration on the first core, where that can be said.
 * @param options of workerd
 */
export async function serve(
  config: string,
  port: number,
  path: string,
  options: readonly string[] = [],
): Promise<Served> {
  const command = [workerdBinary(), 'serve', ...options, config]
  const started = performance.now()
  const [program = '', ...args] = pinned ? ['taskset', '-c', '0', ...command] : command
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  await once(child, 'spawn')
  try {
    await untilAnswering(`http://127.0.0.1:${port}${path}`, child)
  } catch (error) {
    await end(child)
    throw error
  }
  return {
    port,
    // taskset becomes what it runs.
    pid: child.pid ?? 0,
    startupMs: performance.now() - started,
    close: () => end(child),
  }
}

async function untilAnswering(url: string, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 1_000 && !hasEnded(child); tries++) {
    const response = await fetch(url, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined)
    await response?.body?.cancel()
    if (response?.ok) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error(`workerd did not answer at ${url}`)
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

async function end(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}
