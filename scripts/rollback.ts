import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { rollBack, rollbackPlan } from './deploy/rollback.ts'
import { accountOf } from './deploy/site.ts'
import { readVars } from './deploy/vars.ts'
import { wranglerOf } from './deploy/wrangler.ts'
import { runCommand } from './stack/operator-error.ts'

const USAGE = `usage: npm run rollback -- [--dry-run]
Puts every worker back to the release before, the gateway first. Migrations stay: docs/deploy.md`
const ROOT = join(import.meta.dirname, '..')

const { 'dry-run': dryRun } = readArguments()
await runCommand(async () => {
  if (dryRun) return console.log(rollbackPlan())
  const vars = readVars(join(ROOT, 'ops/secrets/deploy.env'), process.env)
  const wrangler = wranglerOf(ROOT, vars)
  await rollBack({ cloudflare: await accountOf(vars, wrangler), wrangler, print: console.log })
})

function readArguments() {
  try {
    return parseArgs({ options: { 'dry-run': { type: 'boolean' } } }).values
  } catch {
    console.error(USAGE)
    process.exit(2)
  }
}
