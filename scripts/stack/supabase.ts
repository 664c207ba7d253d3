import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { App, setExperimental } from '@supabase/lite'
import { createPgliteConnection, type PgliteConnection } from '@supabase/lite/pglite'
import { listen } from './http.ts'
import { STORAGE_RIGHTS, storageFront, storageOnDisk } from './storage.ts'

export interface EmbeddedSupabase {
  readonly url: string
  readonly port: number
  readonly secretKey: string
  readonly publishableKey: string
  /** Holds what Supabase Storage stores, as `{bucket}/{key}`. */
  readonly storageDir: string
  /** Runs SQL as the owner of the database. */
  sql<Row = Record<string, unknown>>(query: string): Promise<Row[]>
  close(): Promise<void>
}

export interface SupabaseOptions {
  /** A folder, or `memory://`. */
  readonly dataDir: string
  /** A folder for what Supabase Storage holds; when not given, it is kept only while this runs. */
  readonly storageDir?: string
  readonly migrationsDir: string
  /** 0 = any that is free. */
  readonly port: number
  readonly secretKey: string
  readonly publishableKey: string
  readonly jwtSecret: string
}

/** The roles and rights that a hosted project starts with, before any migration. */
export const BASELINE = `
do $$ begin
  if not exists (select from pg_roles where rolname = 'anon') then create role anon nologin noinherit; end if;
  if not exists (select from pg_roles where rolname = 'authenticated') then create role authenticated nologin noinherit; end if;
  if not exists (select from pg_roles where rolname = 'service_role') then create role service_role nologin noinherit bypassrls; end if;
end $$;
grant usage on schema public to anon, authenticated, service_role;
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (version text primary key, statements text[], name text);
`

/** Supabase in this process: Postgres (PGlite), its REST surface, Storage on disk, and the project's own migrations applied. */
export async function startSupabase(options: SupabaseOptions): Promise<EmbeddedSupabase> {
  const { dataDir, migrationsDir, port, secretKey, publishableKey, jwtSecret } = options
  const storageDir = options.storageDir ?? (await mkdtemp(join(tmpdir(), 'beast-storage-')))
  const connection = await createPgliteConnection({ url: dataDir })
  await connection.driver.exec(BASELINE)
  setExperimental('storage', true)
  const app = new App({
    connection,
    auth: { publishable_key: publishableKey, secret_key: secretKey, jwt_secret: jwtSecret },
    storage: { enabled: true },
  })
  app._storageAdapter = storageOnDisk(storageDir)
  await app.ensureSystemSchema()
  await connection.driver.exec('grant usage on schema auth to anon, authenticated, service_role')
  await connection.driver.exec(STORAGE_RIGHTS)
  await migrate(connection, migrationsDir)
  const fetch = storageFront(async (request) => app.fetch(request))
  const server = await listen(port, (request, response) => void serve(fetch, request, response))
  return {
    url: server.url,
    port: server.port,
    secretKey,
    publishableKey,
    storageDir,
    sql: async <Row>(query: string) => (await connection.driver.query<Row>(query)).rows,
    close: async () => {
      await server.close()
      await connection.close()
      if (options.storageDir === undefined) await rm(storageDir, { recursive: true, force: true })
    },
  }
}

/** Applies what is new, each file in a transaction, and keeps book as Supabase's own tools do. */
async function migrate({ driver }: PgliteConnection, dir: string): Promise<void> {
  const { rows } = await driver.query<{ version: string }>(
    'select version from supabase_migrations.schema_migrations',
  )
  const applied = new Set(rows.map((row) => row.version))
  const files = (await readdir(dir)).filter((file) => file.endsWith('.sql')).sort()
  for (const file of files) {
    const [version = '', ...name] = file.replace(/\.sql$/, '').split('_')
    if (applied.has(version)) continue
    const sql = await readFile(join(dir, file), 'utf8')
    await driver.transaction(async (tx) => {
      await tx.exec(sql)
      await tx.query(
        'insert into supabase_migrations.schema_migrations (version, statements, name) values ($1, $2, $3)',
        [version, [sql], name.join('_')],
      )
    })
  }
}

async function serve(
  fetch: (request: Request) => Promise<Response>,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  try {
    const headers = new Headers()
    for (const [name, value] of Object.entries(incoming.headers))
      if (value !== undefined) headers.set(name, String(value))
    const hasBody = incoming.method !== 'GET' && incoming.method !== 'HEAD'
    const request = new Request(`http://${incoming.headers.host}${incoming.url}`, {
      method: incoming.method ?? 'GET',
      headers,
      ...(hasBody && { body: Readable.toWeb(incoming) as unknown as ReadableStream, duplex: 'half' }),
    })
    const response = await fetch(request)
    outgoing.writeHead(response.status, Object.fromEntries(response.headers))
    outgoing.end(Buffer.from(await response.arrayBuffer()))
  } catch {
    if (!outgoing.headersSent) outgoing.writeHead(500)
    outgoing.end()
  }
}
