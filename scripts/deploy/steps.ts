import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { OperatorError } from '../stack/operator-error.ts'
import {
  configPath,
  deployConfigs,
  GATEWAY,
  JURISDICTION_VAR,
  KV_TITLE,
  QUEUES,
  WORKERS,
  writeConfigs,
} from './configs.ts'
import { keepText } from './kept-file.ts'
import { applyMigrations, pendingMigrations } from './migrations.ts'
import { makeMissing, PROVIDERS, readKept, secretsToAdd, supabaseSecrets, type Values } from './secrets.ts'
import type { Site } from './site.ts'
import { smokeTest } from './smoke-test.ts'

/** Something to bring about. Both parts ask the site itself, so that they mean the same after an interruption. */
export interface Step {
  readonly name: string
  isDone(site: Site): Promise<boolean>
  run(site: Site): Promise<void>
}

type Worker = (typeof WORKERS)[number]

const RELEASE_FILE = 'release'
const RELEASE_LENGTH = 16

const kvStep: Step = {
  name: `KV namespace ${KV_TITLE}`,
  isDone: async ({ cloudflare }) => (await cloudflare.kvNamespace(KV_TITLE)) !== undefined,
  run: ({ cloudflare, jurisdiction }) => cloudflare.createKvNamespace(KV_TITLE, jurisdiction),
}

const queueStep = (queue: string): Step => ({
  name: `queue ${queue}`,
  isDone: async ({ cloudflare }) => (await cloudflare.queue(queue)) !== undefined,
  run: ({ cloudflare, jurisdiction }) => cloudflare.createQueue(queue, jurisdiction),
})

const configStep: Step = {
  name: 'configurations of the workers (dist/deploy)',
  isDone: async (site) =>
    Object.entries(await configsOf(site)).every(
      ([part, text]) => textOf(configPath(site.deployDir, part)) === text,
    ),
  run: async (site) => writeConfigs(site.deployDir, await configsOf(site)),
}

const secretsStep: Step = {
  name: 'secrets that can be made (ROOT_KEY, KEY_PEPPER, KEK_1, OPERATOR_TOKEN, METRICS_TOKEN)',
  isDone: async (site) => Object.keys(await lackingSecrets(site)).length === 0,
  run: async (site) => {
    const made = await lackingSecrets(site)
    keepText(site.secretsFile, `${JSON.stringify({ ...readKept(site.secretsFile), ...made }, null, 2)}\n`)
    site.print(`    ${Object.keys(made).join(', ')}: made, and kept in ${site.secretsFile}`)
    site.print(
      '    Copy that file to where you keep passwords. Without it neither keys nor cached answers can move.',
    )
  },
}

const migrationsStep: Step = {
  name: 'migrations of the database, each in a transaction',
  isDone: async ({ supabase, migrations }) => (await pendingMigrations(supabase, migrations)).length === 0,
  run: async ({ supabase, migrations, print }) =>
    applyMigrations(supabase, await pendingMigrations(supabase, migrations), ({ version, name }) =>
      print(`    ${version}_${name}`),
    ),
}

/** Workers of one release carry the same tag, so that all go back together. */
const bundlesStep: Step = {
  name: 'bundles of the workers, which make a release',
  isDone: async () => false,
  run: async ({ wrangler, deployDir, print }) => {
    const digests: string[] = []
    for (const { part } of WORKERS)
      digests.push(await wrangler.digest(configPath(deployDir, part), join(deployDir, part)))
    const release = createHash('sha256').update(digests.join()).digest('hex').slice(0, RELEASE_LENGTH)
    writeFileSync(join(deployDir, RELEASE_FILE), release)
    print(`    release ${release}`)
  },
}
const releaseOf = ({ deployDir }: Site): string => readFileSync(join(deployDir, RELEASE_FILE), 'utf8')

const workerStep = ({ part, name }: Worker): Step => {
  const lacking = async (site: Site) =>
    secretsToAdd(part, await site.cloudflare.secretNames(name), await valuesOf(site))
  const isUploaded = async (site: Site) =>
    Object.keys(await lacking(site)).length === 0 &&
    (await site.cloudflare.deployed(name))?.tag === releaseOf(site)
  // wrangler uploads first and sets crons and queues then: only this tells that it came to its end.
  const mark = ({ deployDir }: Site) => join(deployDir, `${part}.deployed`)
  return {
    name: `worker ${name}, with the secrets it lacks`,
    isDone: async (site) => textOf(mark(site)) === releaseOf(site) && (await isUploaded(site)),
    run: async (site) => {
      const config = configPath(site.deployDir, part)
      // One that was killed as it uploaded leaves them behind.
      rmSync(secretsPath(site, part), { force: true })
      if (await isUploaded(site)) await site.wrangler.triggers(config)
      else await upload(site, part, config, await lacking(site))
      writeFileSync(mark(site), releaseOf(site))
    },
  }
}

const secretsPath = ({ deployDir }: Site, part: string): string => join(deployDir, `${part}.secrets.json`)

/** Secrets go with the version that needs them, through a file that is gone afterwards. */
async function upload(
  site: Site,
  part: Worker['part'],
  config: string,
  secrets: Readonly<Record<string, string>>,
): Promise<void> {
  const names = Object.keys(secrets)
  const file = secretsPath(site, part)
  try {
    if (names.length > 0) keepText(file, JSON.stringify(secrets))
    await site.wrangler.deploy(config, releaseOf(site), names.length > 0 ? file : undefined)
  } finally {
    rmSync(file, { force: true })
  }
  if (names.length > 0) site.print(`    secrets: ${names.join(', ')}`)
}

const smokeStep: Step = {
  name: 'smoke test: /healthz, /readyz, a key, a request that costs nothing',
  isDone: async () => false,
  run: async (site) => {
    const operatorToken = (await valuesOf(site)).OPERATOR_TOKEN
    if (operatorToken === undefined)
      throw new OperatorError(
        `The operator's token is not known here, so the gateway cannot be tried. Set OPERATOR_TOKEN to the one that ${GATEWAY} has.`,
      )
    const { gatewayUrl: url, wait } = site
    const hasModels = hasProvider(await site.cloudflare.secretNames(GATEWAY))
    for (const line of await smokeTest({ url, operatorToken, hasModels, wait })) site.print(`    ${line}`)
  },
}

/** In the order in which they are taken. */
export const STEPS: readonly Step[] = [
  kvStep,
  ...QUEUES.map(queueStep),
  configStep,
  secretsStep,
  bundlesStep,
  migrationsStep,
  ...WORKERS.map(workerStep),
  smokeStep,
]

async function configsOf({
  root,
  cloudflare,
  jurisdiction,
}: Site): Promise<Readonly<Record<string, string>>> {
  const space = await cloudflare.kvNamespace(KV_TITLE)
  if (!space) throw new OperatorError(`The KV namespace ${KV_TITLE} is gone. Run this again.`)
  return deployConfigs(root, { accountId: cloudflare.id, kvId: space.id, jurisdiction })
}

const lackingSecrets = async ({ cloudflare, secretsFile, vars }: Site): Promise<Record<string, string>> =>
  makeMissing(await cloudflare.secretNames(GATEWAY), { ...readKept(secretsFile), ...vars })

/** All that workers may be given: what was made here, what was configured, and what Supabase knows. */
async function valuesOf({ secretsFile, vars, supabase, now }: Site): Promise<Values> {
  const project = { url: supabase.url, ...(await supabase.keys()) }
  return { ...readKept(secretsFile), ...vars, ...supabaseSecrets(project, vars, now()) }
}

const hasProvider = (there: readonly string[]): boolean => PROVIDERS.some((name) => there.includes(name))

/** What a first deployment leaves out, and how to add it. */
export async function remarks({ cloudflare, vars, jurisdiction }: Site): Promise<readonly string[]> {
  const there = await cloudflare.secretNames(GATEWAY)
  const lines: string[] = []
  if (!hasProvider(there))
    lines.push(
      `No provider is set: only models that tenants bring answer. Set one of ${PROVIDERS.join(', ')}.`,
    )
  if (!there.includes('UPSTASH_REDIS_REST_URL'))
    lines.push('Upstash is not set: the cache goes from KV straight to Supabase.')
  if (vars.SUPABASE_SIGNING_KEY === undefined && !there.includes('SUPABASE_READER_KEY'))
    lines.push(
      'The workers reach Supabase with its secret key. For keys that may do less see docs/database.md, "The keys of the workers".',
    )
  if (jurisdiction)
    lines.push(`${JURISDICTION_VAR}: ${jurisdiction}. Durable Objects, KV and queues keep their data there.`)
  return lines
}

const textOf = (path: string): string | undefined =>
  existsSync(path) ? readFileSync(path, 'utf8') : undefined
