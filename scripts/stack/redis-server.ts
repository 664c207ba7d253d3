import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Reply, RespConnection } from './resp.ts'

/** What the Upstash endpoint stands on: something that takes Redis commands. */
export interface RedisStore {
  readonly description: string
  send(command: readonly string[]): Promise<Reply>
  close(): Promise<void>
}

export const redisServerPresent = (): boolean => spawnSync('redis-server', ['--version']).status === 0

/**
 * A redis-server of our own, reachable through a Unix socket only.
 * @param dataDir where it keeps its data over a restart; undefined = it keeps nothing
 * @param onExit called when it ends unasked
 */
export async function startRedisServer(
  dataDir: string | undefined,
  onExit: () => void = () => {},
): Promise<RedisStore> {
  // A socket's path may be about 100 characters long, which a checkout's folder may well exceed.
  const socketDir = mkdtempSync(join(tmpdir(), 'beast-redis-'))
  const socket = join(socketDir, 's')
  if (dataDir) mkdirSync(dataDir, { recursive: true })
  const keep = dataDir ? ['--dir', dataDir, '--appendonly', 'yes'] : ['--save', '', '--appendonly', 'no']
  const child = spawn('redis-server', ['--port', '0', '--unixsocket', socket, ...keep], {
    stdio: 'ignore',
    detached: true,
  })
  let closing = false
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.once('exit', () => closing || onExit())
  const connection = await connectTo(socket, child)
  return {
    description: 'redis-server',
    send: (command) => connection.send(command),
    close: async () => {
      closing = true
      connection.close()
      child.kill('SIGTERM')
      await exited
      rmSync(socketDir, { recursive: true, force: true })
    },
  }
}

const CONNECT_MS = 10_000
const RETRY_MS = 20

async function connectTo(socket: string, child: ChildProcess): Promise<RespConnection> {
  for (let waitedMs = 0; waitedMs < CONNECT_MS; waitedMs += RETRY_MS) {
    if (child.exitCode !== null) break
    const connection = await RespConnection.open(socket).catch(() => undefined)
    // While it loads its data it answers with an error.
    if (connection && (await connection.send(['PING'])) === 'PONG') return connection
    connection?.close()
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
  }
  child.kill('SIGKILL')
  throw new Error('redis-server did not come up')
}
