import { parseArgs } from 'node:util'
import { SCOPES } from '../src/tenants/scopes.ts'
import type { KeyListing } from './stack/admin-client.ts'
import { OPERATOR_OPTIONS, operatorClient, table } from './stack/operator.ts'
import { runCommand } from './stack/operator-error.ts'

const USAGE = `usage: npm run keys -- create --tenant NAME [--plan free|paid] [--expires-in-days N] [--scopes A,B]
       npm run keys -- list [--tenant NAME]
       npm run keys -- rotate ID [--overlap-hours N]      a new key; the old one ends N hours later (24; 0 = now)
       npm run keys -- revoke ID
Scopes are inference, feedback, telemetry, models and costs; without --scopes a key has all of them.
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
      values.scopes?.split(','),
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
  } else if (command === 'rotate' && id) {
    const hours = values['overlap-hours']
    const rotated = await client.rotate(id, hours === undefined ? undefined : Number(hours))
    const { id: oldId, ends_at } = rotated.replaces
    print(
      rotated,
      `${rotated.key}\n\nKey ${rotated.id} of tenant "${rotated.tenant}". It is shown this once: keep it now.\nThe old one, ${oldId}, ends at ${ends_at}.`,
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
        'overlap-hours': { type: 'string' },
        scopes: { type: 'string' },
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
  const rows = keys.map((key) => [
    key.id,
    key.tenant,
    key.plan,
    `...${key.hint}`,
    state(key),
    used(key),
    scopesOf(key),
  ])
  return table(['ID', 'TENANT', 'PLAN', 'KEY', 'STATE', 'LAST USED', 'SCOPES'], rows)
}

function used({ last_used_at }: KeyListing): string {
  return last_used_at === null ? 'not yet' : `${last_used_at.slice(0, 13)}h`
}

function scopesOf({ scopes }: KeyListing): string {
  return scopes.length === SCOPES.length ? 'all' : scopes.join(',')
}

function state({ revoked_at, expires_at }: KeyListing): string {
  if (revoked_at) return `revoked ${revoked_at.slice(0, 10)}`
  if (!expires_at) return 'active'
  return Date.parse(expires_at) <= Date.now()
    ? `expired ${expires_at.slice(0, 10)}`
    : `active until ${expires_at.slice(0, 10)}`
}
