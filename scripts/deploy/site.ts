import { join } from 'node:path'
import { OperatorError } from '../stack/operator-error.ts'
import { type CloudflareAccount, type Jurisdiction, openAccount } from './cloudflare.ts'
import { GATEWAY, JURISDICTION_VAR, KV_TITLE, QUEUES, STATE } from './configs.ts'
import { type Migration, readMigrations } from './migrations.ts'
import { has, mustBeStrong, REQUIRED, readKept, type Values } from './secrets.ts'
import { openProject, type SupabaseProject } from './supabase-project.ts'
import type { Wrangler } from './wrangler.ts'

export interface DeployOptions {
  readonly root: string
  readonly jurisdiction: Jurisdiction | undefined
  /** Where the gateway is reached, if not at its workers.dev address. */
  readonly url: string | undefined
  /** What was configured for this run: tokens, addresses, keys. */
  readonly vars: Values
  /** For generated configurations; may be deleted at any time. */
  readonly deployDir: string
  /** For secrets that were made here, a file for each account. */
  readonly secretsDir: string
  readonly wrangler: Wrangler
  readonly print: (line: string) => void
  readonly wait: (ms: number) => Promise<void>
  readonly now: () => number
}

/** Where a deployment goes, opened and checked. */
export interface Site extends DeployOptions {
  readonly cloudflare: CloudflareAccount
  readonly supabase: SupabaseProject
  readonly migrations: readonly Migration[]
  /** Of the gateway, without a slash at its end. */
  readonly gatewayUrl: string
  readonly secretsFile: string
}

const CLOUDFLARE_API = 'https://api.cloudflare.com/client/v4'
const SUPABASE_API = 'https://api.supabase.com'

/**
 * Checks all that can be checked before anything is made.
 * @throws OperatorError for the first thing that would stand in the way
 */
export async function openSite(options: DeployOptions): Promise<Site> {
  const { root, vars, wrangler } = options
  mustBeStrong(vars)
  const lacking = ['SUPABASE_URL', 'SUPABASE_ACCESS_TOKEN'].filter((name) => vars[name] === undefined)
  if (lacking.length > 0)
    throw new OperatorError(
      `${lacking.join(' and ')} ${lacking.length > 1 ? 'are' : 'is'} not set. Put it into the environment or ops/secrets/deploy.env: docs/deploy.md.`,
    )
  const cloudflare = await accountOf(vars, wrangler)
  const supabase = await openProject(
    vars.SUPABASE_API_BASE_URL ?? SUPABASE_API,
    vars.SUPABASE_ACCESS_TOKEN ?? '',
    vars.SUPABASE_URL ?? '',
  )
  const jurisdiction = await settledJurisdiction(cloudflare, options.jurisdiction)
  if (jurisdiction === 'eu' && !supabase.region.startsWith('eu-'))
    throw new OperatorError(
      `Data is to stay in the EU, but the Supabase project lies in ${supabase.region}. Make one in an eu- region.`,
    )
  const secretsFile = join(options.secretsDir, `deploy-${cloudflare.id}.json`)
  await mustNotLoseKeys(cloudflare, supabase, { ...readKept(secretsFile), ...vars })
  return {
    ...options,
    jurisdiction,
    cloudflare,
    supabase,
    migrations: readMigrations(join(root, 'supabase/migrations')),
    gatewayUrl: options.url ?? (await workersDevUrl(cloudflare)),
    secretsFile,
  }
}

/** @throws OperatorError when nobody is logged in, or it is not settled which account is meant */
export const accountOf = async (
  vars: Values,
  wrangler: Pick<Wrangler, 'token'>,
): Promise<CloudflareAccount> =>
  openAccount(
    vars.CLOUDFLARE_API_BASE_URL ?? CLOUDFLARE_API,
    vars.CLOUDFLARE_API_TOKEN ?? (await wrangler.token()),
    vars.CLOUDFLARE_ACCOUNT_ID,
  )

/** What is stored stays where it was first made: another jurisdiction would mean empty stores. */
async function settledJurisdiction(
  cloudflare: CloudflareAccount,
  wanted: Jurisdiction | undefined,
): Promise<Jurisdiction | undefined> {
  const found = new Map<string, string | undefined>()
  const deployed = await cloudflare.texts(STATE)
  if (deployed) found.set('Durable Objects', deployed[JURISDICTION_VAR])
  const space = await cloudflare.kvNamespace(KV_TITLE)
  if (space) found.set(`The KV namespace ${KV_TITLE}`, space.jurisdiction)
  for (const name of QUEUES) {
    const queue = await cloudflare.queue(name)
    if (queue) found.set(`The queue ${name}`, queue.jurisdiction)
  }
  if (wanted === undefined) return jurisdictionOf([...found.values()][0])
  for (const [what, where] of found)
    if (jurisdictionOf(where) !== wanted)
      throw new OperatorError(
        `${what} of this account: there already, outside the jurisdiction ${wanted}, and cannot move. Leave --jurisdiction out, delete it if nothing uses it, or use another account.`,
      )
  return wanted
}

const jurisdictionOf = (text: string | undefined): Jurisdiction | undefined =>
  text === 'eu' || text === 'us' ? text : undefined

/** New keys beside rows that were made under others would make those rows unreadable. */
async function mustNotLoseKeys(
  cloudflare: CloudflareAccount,
  supabase: SupabaseProject,
  known: Values,
): Promise<void> {
  const there = await cloudflare.secretNames(GATEWAY)
  const lost = REQUIRED.gateway.filter(
    (name) => /^(KEY_PEPPER|KEK_1)$/.test(name) && !has(there, name) && known[name] === undefined,
  )
  if (lost.length === 0) return
  const [table] = await supabase.query<{ there: boolean }>(
    `select to_regclass('public.virtual_keys') is not null as there`,
  )
  if (!table?.there) return
  const [rows] = await supabase.query<{ any: boolean }>(
    'select exists (select from public.virtual_keys) as any',
  )
  if (!rows?.any) return
  throw new OperatorError(
    `The database holds keys that were made under another ${lost.join(' and ')}, which is not known here. Put back ops/secrets/deploy-${cloudflare.id}.json, or set ${lost.join(' and ')}; a new one would make them worthless.`,
  )
}

async function workersDevUrl(cloudflare: CloudflareAccount): Promise<string> {
  const subdomain = await cloudflare.subdomain()
  if (subdomain !== undefined) return `https://${GATEWAY}.${subdomain}.workers.dev`
  throw new OperatorError(
    'The account has no workers.dev subdomain yet. Open Workers & Pages in the dashboard once, or name an address with --url.',
  )
}
