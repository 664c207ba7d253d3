import { execFileSync, type SpawnOptions, spawn } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { request as forward, type IncomingHttpHeaders } from 'node:http'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { freePort } from '../../scripts/bench/workerd.ts'
import { signerOf } from '../../scripts/stack/database-keys.ts'
import { listen } from '../../scripts/stack/http.ts'
import { BASELINE } from '../../scripts/stack/supabase.ts'
import { psqlSession } from './psql.ts'
import { KEYS, ROOT, type TestDatabase } from './stores.ts'

// Genuine PostgREST over genuine PostgreSQL, as a hosted project has them: the same roles, an owner who is no superuser,
// and a gateway in front that turns the project's keys into tokens.

const onPath = (name: string): string | undefined =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .map((dir) => join(dir, name))
    .find((path) => existsSync(path))

/** Debian keeps the server's programs out of the PATH, by version. */
const DEBIAN = '/usr/lib/postgresql'
const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : []
const BIN = versions
  .map((version) => join(DEBIAN, version, 'bin'))
  .find((dir) => existsSync(join(dir, 'initdb')))
const POSTGREST = onPath('postgrest')

export const postgrestPresent = BIN !== undefined && POSTGREST !== undefined

const OWNER = 'project_owner'
/** What a hosted project has before any migration, beside the roles of the baseline. */
const HOSTED = `
create role authenticator login noinherit;
grant anon, authenticated, service_role to authenticator;
create role ${OWNER} login createrole bypassrls;
alter schema public owner to ${OWNER};
alter schema supabase_migrations owner to ${OWNER};
grant create on database postgres to ${OWNER};
`

/** PostgreSQL refuses to run as root; Debian's package makes a user for it. */
function serverUser(): SpawnOptions {
  if (process.getuid?.() !== 0) return {}
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

/** @param jwks public keys that the project believes besides its JWT secret */
export async function startPostgrest(jwks: readonly object[] = []): Promise<TestDatabase> {
  const bin = (name: string) => join(BIN ?? '', name)
  const dir = mkdtempSync(join(tmpdir(), 'beast-postgres-'))
  const user = serverUser()
  if (typeof user.uid === 'number') chownSync(dir, user.uid, user.gid ?? user.uid)
  const data = join(dir, 'data')
  const initdb = ['-D', data, '-U', 'admin', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync']
  execFileSync(bin('initdb'), initdb, { ...user, stdio: 'ignore' })
  // On a socket in the folder only, so that two of them never meet.
  const settings = [
    'listen_addresses=',
    `unix_socket_directories=${dir}`,
    'fsync=off',
    'logging_collector=off',
  ]
  const postgres = start(bin('postgres'), ['-D', data, ...settings.flatMap((each) => ['-c', each])], user)
  const psql = (role: string, sql: string): string =>
    execFileSync(
      bin('psql'),
      ['-qAtX', '-v', 'ON_ERROR_STOP=1', '-1', '-h', dir, '-U', role, '-d', 'postgres', '-f', '-'],
      { input: sql, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'], maxBuffer: 1 << 26 },
    )
  const port = await freePort()
  const stops = [postgres.stop]
  const close = async () => {
    for (const stop of stops.splice(0).reverse()) await stop()
    rmSync(dir, { recursive: true, force: true })
  }
  try {
    await until(() => psql('admin', 'select 1') !== '')
    psql('admin', BASELINE + HOSTED)
    psql(OWNER, BASELINE)
    migrate((sql) => psql(OWNER, sql))
    const secret = { kty: 'oct', alg: 'HS256', k: Buffer.from(KEYS.jwtSecret).toString('base64url') }
    stops.push(
      start(POSTGREST ?? '', [], {
        env: {
          PGRST_DB_URI: `postgresql://authenticator@/postgres?host=${encodeURIComponent(dir)}`,
          PGRST_DB_SCHEMAS: 'public',
          PGRST_DB_ANON_ROLE: 'anon',
          PGRST_DB_POOL: '8',
          PGRST_DB_MAX_ROWS: '1000',
          PGRST_JWT_SECRET: JSON.stringify({ keys: [secret, ...jwks] }),
          PGRST_SERVER_HOST: '127.0.0.1',
          PGRST_SERVER_PORT: String(port),
          PGRST_LOG_LEVEL: 'crit',
        },
      }).stop,
    )
    await until(async () => (await fetch(`http://127.0.0.1:${port}/`)).ok)
    const gateway = await listen(0, (incoming, outgoing) => {
      const headers = asProject(incoming.headers)
      const path = /^\/rest\/v1(\/.*)$/.exec(incoming.url ?? '')?.[1]
      if (!headers || !path) {
        outgoing.writeHead(headers ? 404 : 401, { 'content-type': 'application/json' })
        return void outgoing.end('{"message":"No such key or path"}')
      }
      const onward = forward(
        { host: '127.0.0.1', port, path, method: incoming.method, headers },
        (answer) => {
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
          answer.pipe(outgoing)
        },
      )
      onward.on('error', () => outgoing.destroy())
      incoming.pipe(onward)
    })
    stops.push(gateway.close)
    const session = psqlSession(bin('psql'), ['-h', dir, '-U', 'admin', '-d', 'postgres'])
    stops.push(session.close)
    return {
      url: gateway.url,
      secretKey: KEYS.secretKey,
      publishableKey: KEYS.publishableKey,
      sql: async <Row>(query: string) => {
        if (!/^\s*(select|with)\b/i.test(query)) {
          await session.run(query)
          return []
        }
        const rows = await session.run(`select coalesce(json_agg(to_json(t)), '[]') from (${query}\n) t`)
        return JSON.parse(rows) as Row[]
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** Of the project's keys, what PostgREST is told instead; undefined = none of them, and so nobody gets in. */
function asProject({ apikey, ...headers }: IncomingHttpHeaders): IncomingHttpHeaders | undefined {
  if (apikey !== KEYS.secretKey && apikey !== KEYS.publishableKey) return undefined
  const { authorization, ...rest } = headers
  if (authorization && authorization !== `Bearer ${apikey}`) return headers
  if (apikey === KEYS.publishableKey) return rest
  return { ...rest, authorization: `Bearer ${signerOf(KEYS.jwtSecret)({ role: 'service_role' })}` }
}

function migrate(run: (sql: string) => void): void {
  const dir = join(ROOT, 'supabase/migrations')
  for (const file of readdirSync(dir).sort()) if (file.endsWith('.sql')) run(`\\i '${join(dir, file)}'`)
}

function start(command: string, args: readonly string[], options: SpawnOptions) {
  const child = spawn(command, args, { ...options, stdio: 'ignore' })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  return {
    stop: async () => {
      // Of PostgreSQL: do not wait for its clients. PostgREST ends by it, too.
      child.kill('SIGINT')
      await exited
    },
  }
}

const PATIENCE_MS = 30_000
const POLL_MS = 50

async function until(ready: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    try {
      if (await ready()) return
    } catch (error) {
      if (Date.now() > deadline) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}
