import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { parseArgs } from 'node:util'
import type { Jurisdiction } from './deploy/cloudflare.ts'
import { deploy, planOf } from './deploy/deploy.ts'
import { readMigrations } from './deploy/migrations.ts'
import type { Values } from './deploy/secrets.ts'
import { askFor, readVars } from './deploy/vars.ts'
import { wranglerOf } from './deploy/wrangler.ts'
import { runCommand } from './stack/operator-error.ts'

const USAGE = `usage: npm run deploy -- [--dry-run] [--jurisdiction eu|us] [--url ADDRESS]
Deploys to your Cloudflare account and Supabase project; run again, it does what is not done yet. docs/deploy.md
--dry-run       print the steps and stop; needs no account
--jurisdiction  where Durable Objects, KV and queues keep their data; settled by the first deployment
--url           where the gateway is reached, if not at its workers.dev address`
const ROOT = join(import.meta.dirname, '..')
const SECRETS = join(ROOT, 'ops/secrets')

const { dryRun, jurisdiction, url } = readArguments()
await runCommand(async () => {
  if (dryRun) return console.log(planOf(readMigrations(join(ROOT, 'supabase/migrations'))))
  const file = join(SECRETS, 'deploy.env')
  const configured = readVars(file, process.env)
  const first = process.stdin.isTTY && !existsSync(file)
  const vars = first ? await askAtTerminal(file, configured) : configured
  await deploy({
    root: ROOT,
    jurisdiction,
    url,
    vars,
    deployDir: join(ROOT, 'dist/deploy'),
    secretsDir: SECRETS,
    wrangler: wranglerOf(ROOT, vars),
    print: console.log,
    wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    now: Date.now,
  })
})

async function askAtTerminal(file: string, configured: Values): Promise<Values> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  try {
    return await askFor(file, configured, (question) => terminal.question(question))
  } finally {
    terminal.close()
  }
}

function readArguments(): {
  dryRun: boolean
  jurisdiction: Jurisdiction | undefined
  url: string | undefined
} {
  try {
    const { values } = parseArgs({
      options: {
        'dry-run': { type: 'boolean' },
        jurisdiction: { type: 'string' },
        url: { type: 'string' },
      },
    })
    const { jurisdiction } = values
    const address = values.url === undefined ? undefined : new URL(values.url).href.replace(/\/+$/, '')
    if (jurisdiction === undefined || jurisdiction === 'eu' || jurisdiction === 'us')
      return { dryRun: values['dry-run'] === true, jurisdiction, url: address }
  } catch {
    // The usage says it all.
  }
  console.error(USAGE)
  process.exit(2)
}
