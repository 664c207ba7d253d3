import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { OperatorError } from '../stack/operator-error.ts'
import type { SupabaseProject } from './supabase-project.ts'

export interface Migration {
  readonly version: string
  readonly name: string
  readonly sql: string
}

/** In the order in which they are applied. */
export function readMigrations(dir: string): readonly Migration[] {
  return readdirSync(dir)
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .map((file) => {
      const [version = '', ...name] = file.replace(/\.sql$/, '').split('_')
      return { version, name: name.join('_'), sql: readFileSync(join(dir, file), 'utf8') }
    })
}

/** The book that Supabase's own tools keep. */
const BOOK = `create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (version text not null primary key);
alter table supabase_migrations.schema_migrations add column if not exists statements text[];
alter table supabase_migrations.schema_migrations add column if not exists name text;`

/**
 * Those that the database has not had.
 * @throws OperatorError when the database has had one that this checkout does not know
 */
export async function pendingMigrations(
  project: Pick<SupabaseProject, 'query'>,
  migrations: readonly Migration[],
): Promise<readonly Migration[]> {
  const [book] = await project.query<{ there: boolean }>(
    `select to_regclass('supabase_migrations.schema_migrations') is not null as there`,
  )
  if (!book?.there) return migrations
  const rows = await project.query<{ version: string }>(
    'select version from supabase_migrations.schema_migrations order by version',
  )
  const applied = new Set(rows.map((row) => row.version))
  const known = new Set(migrations.map(({ version }) => version))
  const stranger = [...applied].find((version) => !known.has(version))
  if (stranger !== undefined)
    throw new OperatorError(
      `The database has had migration ${stranger}, which this checkout does not know. Check out the newer version, or name another project in SUPABASE_URL.`,
    )
  return migrations.filter(({ version }) => !applied.has(version))
}

/** Applies each in a transaction of its own. @throws OperatorError naming the one that failed, which left no trace */
export async function applyMigrations(
  project: Pick<SupabaseProject, 'query'>,
  pending: readonly Migration[],
  applied: (migration: Migration) => void,
): Promise<void> {
  await project.query(BOOK)
  for (const migration of pending) {
    try {
      await project.query(inTransaction(migration))
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error
      throw new OperatorError(
        `Migration ${migration.version}_${migration.name} was not applied, and left no trace: ${error.message}`,
      )
    }
    applied(migration)
  }
}

/** The entry comes first: of two deployments at once the second waits for it, and then fails before it changes anything. */
const inTransaction = ({ version, name, sql }: Migration): string =>
  [
    'begin;',
    `insert into supabase_migrations.schema_migrations (version, name, statements) values (${text(version)}, ${text(name)}, array[${text(sql)}]);`,
    sql,
    ';commit;',
  ].join('\n')

const text = (value: string): string => `'${value.replaceAll("'", "''")}'`
