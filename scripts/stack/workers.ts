import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { OperatorError } from './operator-error.ts'

/** The gateway first: it is the one that listens. */
export const WORKER_CONFIGS = [
  'wrangler.toml',
  'workers/state/wrangler.toml',
  'workers/recorder/wrangler.toml',
  'workers/scheduler/wrangler.toml',
]
const WRANGLER = 'node_modules/wrangler/bin/wrangler.js'

export interface WorkersOptions {
  readonly root: string
  readonly stateDir: string
  readonly port: number
  readonly vars: Readonly<Record<string, string>>
  readonly onExit: () => void
}

export interface RunningWorkers {
  readonly url: string
  readonly logFile: string
  close(): Promise<void>
}

/** All workers in one `wrangler dev`, their noise in a log file. Not yet ready when this returns. */
export function startWorkers({ root, stateDir, port, vars, onExit }: WorkersOptions): RunningWorkers {
  if (!existsSync(join(root, WRANGLER))) throw new OperatorError('wrangler is not installed. Run: npm ci')
  const envFile = join(stateDir, 'workers.env')
  writeFileSync(
    envFile,
    Object.entries(vars)
      .map(([name, value]) => `${name}='${value}'\n`)
      .join(''),
    { mode: 0o600 },
  )
  const logFile = join(stateDir, 'workers.log')
  const log = openSync(logFile, 'w', 0o600)
  const configs = WORKER_CONFIGS.flatMap((config) => ['-c', config])
  const child = spawn(
    process.execPath,
    [
      WRANGLER,
      'dev',
      ...configs,
      '--port',
      String(port),
      '--env-file',
      envFile,
      '--persist-to',
      join(stateDir, 'workers'),
      '--show-interactive-dev-session=false',
    ],
    {
      cwd: root,
      stdio: ['ignore', log, log],
      // A group of its own: Ctrl-C reaches this program only, which then ends the group in good order.
      detached: true,
      env: {
        ...process.env,
        // The file is read for the gateway only; the other workers take from here what their configuration names.
        ...vars,
        WRANGLER_SEND_METRICS: 'false',
        DO_NOT_TRACK: '1',
        NO_COLOR: '1',
        FORCE_COLOR: '0',
      },
    },
  )
  closeSync(log)
  let closing = false
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.once('exit', () => closing || onExit())
  return {
    url: `http://127.0.0.1:${port}`,
    logFile,
    close: async () => {
      closing = true
      await endGroup(child, exited)
    },
  }
}

const GRACE_MS = 5_000

async function endGroup(child: ChildProcess, exited: Promise<void>): Promise<void> {
  const kill = (signal: NodeJS.Signals) => {
    try {
      if (child.pid) process.kill(-child.pid, signal)
    } catch {
      // Already gone.
    }
  }
  kill('SIGTERM')
  const impatience = setTimeout(() => kill('SIGKILL'), GRACE_MS)
  await exited
  clearTimeout(impatience)
  // wrangler may leave workerd behind when it is ended early in its start.
  kill('SIGKILL')
}

/** The end of a log, for the moment when its program died. */
export function lastLines(file: string, count: number): string {
  return existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n').slice(-count).join('\n') : ''
}
