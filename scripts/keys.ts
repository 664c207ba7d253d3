import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { AdminClient, type KeyListing } from './stack/admin-client.ts'
import { readDevVars } from './stack/dev-vars.ts'
import { OperatorError, runCommand } from './stack/operator-error.ts'

const USAGE = `usage: npm run keys -- create --tenant NAME [--plan free|paid] [--expires-in-days N]
       npm run keys -- list [--tenant NAME]
       npm run keys -- revoke ID
options: --json, --url ADDRESS (or BEAST_URL); the operator's token comes from BEAST_OPERATOR_TOKEN
         or, on a laptop, from what npm start left behind`

const ROOT = join(import.meta.dirname, '..')

await runCommand(main)

async function main(): Promise<void> {
  const { command, id, values } = readArguments()
  const client = new AdminClient(gatewayUrl(values.url), operatorToken())
  const print = (value: unknown, text: string) => console.log(values.json ? JSON.stringify(value) : text)
  if (command === 'create' && values.tenant) {
    const days = values['expires-in-days']
    const created = await client.create(
      values.tenant,
      values.plan,
      days === undefined ? undefined : Number(days),
    )
    print(
      created,
      `${created.key}\n\nKey ${created.id} of tenant "${created.tenant}" (plan ${created.plan}). It is shown this once: keep it now.`,
    )
  } else if (command === 'list') {
    const keys = await client.list(values.tenant)
    print(
      keys,
      keys.length === 0
        ? 'There are no keys yet. Make one with: npm run keys -- create --tenant NAME'
        : table(keys),
    )
  } else if (command === 'revoke' && id) {
    const revoked = await client.revoke(id)
    print(
      revoked,
      `Revoked. It spends nothing from now on; stored answers it may still get for ${revoked.effective_within_seconds} s at most.`,
    )
  } else usage()
}

function readArguments() {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: {
        tenant: { type: 'string' },
        plan: { type: 'string' },
        'expires-in-days': { type: 'string' },
        url: { type: 'string' },
        json: { type: 'boolean' },
      },
    })
    return { command: positionals[0], id: positionals[1], values }
  } catch {
    return usage()
  }
}

function usage(): never {
  console.error(USAGE)
  process.exit(2)
}

/** What `npm start` left in `.beast/`. */
function left(file: string): Record<string, unknown> {
  const path = join(ROOT, '.beast', file)
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {}
}

function gatewayUrl(given: string | undefined): string {
  const url = given ?? process.env.BEAST_URL ?? left('run.json').url
  if (typeof url === 'string') return url.replace(/\/+$/, '')
  throw new OperatorError(
    'No gateway runs from this folder. Start it with npm start, or name one with --url ADDRESS.',
  )
}

function operatorToken(): string {
  const token =
    process.env.BEAST_OPERATOR_TOKEN ??
    readDevVars(join(ROOT, '.dev.vars')).OPERATOR_TOKEN ??
    left('secrets.json').OPERATOR_TOKEN
  if (typeof token === 'string') return token
  throw new OperatorError("The operator's token is not known here. Set BEAST_OPERATOR_TOKEN.")
}

function table(keys: readonly KeyListing[]): string {
  const rows = keys.map((key) => [key.id, key.tenant, key.plan, `...${key.hint}`, state(key)])
  const all = [['ID', 'TENANT', 'PLAN', 'KEY', 'STATE'], ...rows]
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length))) ?? []
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function state({ revoked_at, expires_at }: KeyListing): string {
  if (revoked_at) return `revoked ${revoked_at.slice(0, 10)}`
  if (!expires_at) return 'active'
  return Date.parse(expires_at) <= Date.now()
    ? `expired ${expires_at.slice(0, 10)}`
    : `active until ${expires_at.slice(0, 10)}`
}
