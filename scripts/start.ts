import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { AdminClient } from './stack/admin-client.ts'
import { readDevVars } from './stack/dev-vars.ts'
import type { Laptop } from './stack/laptop.ts'
import { OperatorError, runCommand } from './stack/operator-error.ts'
import { lastLines } from './stack/workers.ts'

const USAGE = 'usage: npm start -- [--port N] [--fresh]'
const DEFAULT_PORT = 8787
const READY_MS = 90_000
const POLL_MS = 150
const TENANT = 'laptop'

const ROOT = join(import.meta.dirname, '..')
const STATE = join(ROOT, '.beast')
const LOCK = join(STATE, 'run.json')
const KEY_FILE = join(STATE, 'key.json')

const { port, fresh } = readArguments()
await runCommand(start)

async function start(): Promise<void> {
  if (Number(process.versions.node.split('.')[0]) < 24)
    throw new OperatorError('This needs Node 24, which npm brings. Run: npm start')
  const devVars = readDevVars(join(ROOT, '.dev.vars'))
  mustBeAlone()
  await mustBeFree(port)
  if (fresh) rmSync(STATE, { recursive: true, force: true })
  mkdirSync(STATE, { recursive: true })
  console.log('Starting BEAST MODE Edge ...')

  let laptop: Laptop | undefined
  let ending = false
  const end = async (code: number, reason?: string): Promise<never> => {
    if (ending) return new Promise<never>(() => {})
    ending = true
    if (reason) console.error(reason)
    await laptop?.close()
    rmSync(LOCK, { force: true })
    process.exit(code)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void end(0))
  const onDeath = (part: string) => {
    const log = part === 'workers' ? `\n${lastLines(join(STATE, 'workers.log'), 15)}` : ''
    void end(1, `Stopped, because this part ended by itself: ${part}. Start again with npm start.${log}`)
  }

  // Loaded late: an old Node must get the line above, not a syntax error out of a library.
  const { startLaptop } = await import('./stack/laptop.ts')
  try {
    laptop = await startLaptop({ root: ROOT, stateDir: STATE, port, devVars, onDeath })
    const { url } = laptop.workers
    writeFileSync(LOCK, JSON.stringify({ url, supabaseUrl: laptop.supabaseUrl, pid: process.pid }))
    await untilReady(url)
    const key = await laptopKey(url, laptop.secrets.OPERATOR_TOKEN)
    print(laptop, url, key)
  } catch (error) {
    if (!(error instanceof OperatorError)) {
      console.error(error)
      await end(
        1,
        'A part could not start (above). If its files are damaged, start anew with: npm start -- --fresh',
      )
    }
    await end(1, (error as Error).message)
  }
}

function readArguments(): { port: number; fresh: boolean } {
  try {
    const { values } = parseArgs({ options: { port: { type: 'string' }, fresh: { type: 'boolean' } } })
    const port = Number(values.port ?? DEFAULT_PORT)
    if (Number.isInteger(port) && port >= 1 && port <= 65_535) return { port, fresh: values.fresh === true }
  } catch {
    // The usage says it all.
  }
  console.error(USAGE)
  process.exit(2)
}

/** One folder holds one state: two at once would write into the same files. */
function mustBeAlone(): void {
  if (!existsSync(LOCK)) return
  try {
    const { pid, url } = JSON.parse(readFileSync(LOCK, 'utf8'))
    process.kill(pid, 0)
    throw new OperatorError(
      `It already runs from this folder, at ${url} (process ${pid}). Use it, or end it first.`,
    )
  } catch (error) {
    if (error instanceof OperatorError) throw error
    rmSync(LOCK, { force: true })
  }
}

function mustBeFree(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', () =>
      reject(new OperatorError(`Port ${port} is busy. Choose another: npm start -- --port ${port + 1}`)),
    )
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve()))
  })
}

async function untilReady(url: string): Promise<void> {
  const deadline = Date.now() + READY_MS
  let said = ''
  while (Date.now() < deadline) {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(5_000) }).catch(
      () => undefined,
    )
    if (response?.ok) return
    said = (await response?.text().catch(() => '')) ?? said
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  throw new OperatorError(
    `The gateway did not become ready within ${READY_MS / 1_000} s. Look into .beast/workers.log. ${said}`,
  )
}

/** The key of the last start while it works, otherwise a new one. */
async function laptopKey(url: string, operatorToken: string): Promise<string> {
  const kept = existsSync(KEY_FILE) ? JSON.parse(readFileSync(KEY_FILE, 'utf8')).key : undefined
  if (typeof kept === 'string') {
    const response = await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${kept}` } })
    await response.body?.cancel()
    if (response.ok) return kept
  }
  const { key } = await new AdminClient(url, operatorToken).create(TENANT, 'paid')
  writeFileSync(KEY_FILE, JSON.stringify({ key }), { mode: 0o600 })
  return key
}

function print(laptop: Laptop, url: string, key: string): void {
  console.log(`
BEAST MODE Edge is ready.

Address   ${url}/v1
Key       ${key}
Page      ${url}/
Figures   ${url}/monitoring   with the secret ${laptop.secrets.VIEWER_TOKEN}
${laptop.parts.join('\n')}

Try it:
curl ${url}/v1/chat/completions -H "Authorization: Bearer ${key}" -H "Content-Type: application/json" -d '{"model":"auto","messages":[{"role":"user","content":"Hello"}]}'

Metrics: curl -H "Authorization: Bearer ${laptop.secrets.METRICS_TOKEN}" ${url}/metrics
More keys: npm run keys -- create --tenant NAME      End: Ctrl-C
`)
}
