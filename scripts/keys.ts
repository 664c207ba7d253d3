import { parseArgs } from 'node:util'
import type { KeyListing } from './stack/admin-client.ts'
import { OPERATOR_OPTIONS, operatorClient, table } from './stack/operator.ts'
import { runCommand } from './stack/operator-error.ts'

const USAGE = `usage: npm run keys -- create --tenant NAME [--plan free|paid] [--expires-in-days N]
       npm run keys -- list [--tenant NAME]
       npm run keys -- revoke ID
${OPERATOR_OPTIONS}`

await runCommand(main)

async function main(): Promise<void> {
  const { command, id, values } = readArguments()
  const client = operatorClient(values.url)
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
        : listing(keys),
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

function listing(keys: readonly KeyListing[]): string {
  const rows = keys.map((key) => [key.id, key.tenant, key.plan, `...${key.hint}`, state(key)])
  return table(['ID', 'TENANT', 'PLAN', 'KEY', 'STATE'], rows)
}

function state({ revoked_at, expires_at }: KeyListing): string {
  if (revoked_at) return `revoked ${revoked_at.slice(0, 10)}`
  if (!expires_at) return 'active'
  return Date.parse(expires_at) <= Date.now()
    ? `expired ${expires_at.slice(0, 10)}`
    : `active until ${expires_at.slice(0, 10)}`
}
