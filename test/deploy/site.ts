import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DeployOptions } from '../../scripts/deploy/site.ts'
import { ROOT } from '../support/stores.ts'
import { CLOUDFLARE_TOKEN, type Cloud, REF, SUPABASE_TOKEN } from './cloud-double.ts'
import { standInWrangler } from './stand-in-wrangler.ts'

/** Two that would notice being applied twice. */
export const MIGRATIONS = {
  '20260101000001_keys.sql': `create table public.virtual_keys (id int); create table public.runs (name text);
insert into public.runs values ('it''s the first');`,
  '20260101000002_more.sql': `alter table public.virtual_keys add column name text; insert into public.runs values ('second');`,
}

export interface TestRoot {
  readonly dir: string
  /** A place of its own for what one deployment leaves behind. */
  fresh(): string
  remove(): void
}

/** A checkout with the real configurations and small migrations. */
export function testRoot(): TestRoot {
  const dir = mkdtempSync(join(tmpdir(), 'beast-deploy-'))
  for (const name of ['wrangler.toml', 'workers', 'src', 'node_modules'])
    symlinkSync(join(ROOT, name), join(dir, name))
  mkdirSync(join(dir, 'supabase/migrations'), { recursive: true })
  for (const [name, sql] of Object.entries(MIGRATIONS))
    writeFileSync(join(dir, 'supabase/migrations', name), sql)
  return {
    dir,
    fresh: () => mkdtempSync(join(dir, 'run-')),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  }
}

export const varsFor = (cloud: Pick<Cloud, 'cloudflareUrl' | 'supabaseUrl'>) => ({
  CLOUDFLARE_API_BASE_URL: cloud.cloudflareUrl,
  CLOUDFLARE_API_TOKEN: CLOUDFLARE_TOKEN,
  SUPABASE_API_BASE_URL: cloud.supabaseUrl,
  SUPABASE_ACCESS_TOKEN: SUPABASE_TOKEN,
  SUPABASE_URL: `https://${REF}.supabase.co`,
  OPENAI_API_KEY: 'sk-test',
})

/** As `npm run deploy` has them, but for wrangler, which stands in. @param home from `fresh` */
export const optionsFor = (
  cloud: Pick<Cloud, 'cloudflareUrl' | 'supabaseUrl' | 'gatewayUrl'>,
  root: string,
  home: string,
): DeployOptions => ({
  root,
  jurisdiction: undefined,
  url: cloud.gatewayUrl,
  vars: varsFor(cloud),
  deployDir: join(home, 'deploy'),
  secretsDir: join(home, 'secrets'),
  wrangler: standInWrangler(cloud.cloudflareUrl),
  print: () => {},
  wait: async () => {},
  now: () => Date.UTC(2026, 10, 21),
})
