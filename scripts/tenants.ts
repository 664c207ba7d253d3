import { parseArgs } from 'node:util'
import type { TenantListing } from '../src/tenants/tenant-settings.ts'
import type { AdminClient } from './stack/admin-client.ts'
import { OPERATOR_OPTIONS, operatorClient, table } from './stack/operator.ts'
import { runCommand } from './stack/operator-error.ts'

const USAGE = `usage: npm run tenants -- list
       npm run tenants -- show NAME
       npm run tenants -- create NAME [FIELD=VALUE ...]
       npm run tenants -- set NAME FIELD=VALUE ...
       npm run tenants -- purge NAME               make all of its cached answers unreadable
FIELD is plan (free, paid), cache_policy (all, deterministic, none), cache_by_user or keeps_text (true, false),
retention_days, text_retention_days, feedback_retention_days or ledger_retention_days.
${OPERATOR_OPTIONS}`
const TENANTS = '/api/admin/tenants'

type Changed = TenantListing & { readonly effective_within_seconds: number }

await runCommand(main)

async function main(): Promise<void> {
  const { command, name, settings, values } = readArguments()
  const client = operatorClient(values.url)
  const print = (value: unknown, text: string) => console.log(values.json ? JSON.stringify(value) : text)
  if (command === 'list' && !name) {
    const tenants = await all(client)
    const none = 'There are no tenants yet. Make one with: npm run keys -- create --tenant NAME'
    print(tenants, tenants.length === 0 ? none : listing(tenants))
    return
  }
  if (!name) usage()
  const path = `${TENANTS}/${encodeURIComponent(name)}`
  if (command === 'show') {
    const tenant = await client.request<TenantListing>('GET', path)
    print(tenant, fields(tenant))
  } else if (command === 'create') {
    const tenant = await client.request<TenantListing>('POST', TENANTS, { name, ...settings })
    print(tenant, fields(tenant))
  } else if ((command === 'set' && Object.keys(settings).length > 0) || command === 'purge') {
    const change = command === 'purge' ? { purge: true } : settings
    const { effective_within_seconds: seconds, ...tenant } = await client.request<Changed>(
      'PATCH',
      path,
      change,
    )
    const what = command === 'purge' ? `Purged (epoch ${tenant.epoch})` : 'Changed'
    print(tenant, `${what}; in force everywhere within ${seconds} s.\n\n${fields(tenant)}`)
  } else usage()
}

async function all(client: AdminClient): Promise<TenantListing[]> {
  const tenants: TenantListing[] = []
  let cursor: string | null = null
  do {
    const query = new URLSearchParams({ limit: '500', ...(cursor && { cursor }) })
    const page: { data: TenantListing[]; next_cursor: string | null } = await client.request(
      'GET',
      `${TENANTS}?${query}`,
    )
    tenants.push(...page.data)
    cursor = page.next_cursor
  } while (cursor !== null)
  return tenants
}

function readArguments() {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { url: { type: 'string' }, json: { type: 'boolean' } },
    })
    const [command, name, ...assignments] = positionals
    return { command, name, settings: Object.fromEntries(assignments.map(assignment)), values }
  } catch {
    return usage()
  }
}

/** `plan=paid`; numbers and truth values as what they are. The gateway judges both. */
function assignment(text: string): [string, unknown] {
  const end = text.indexOf('=')
  if (end < 1) usage()
  const value = text.slice(end + 1)
  return [text.slice(0, end), /^(true|false|\d+)$/.test(value) ? JSON.parse(value) : value]
}

function usage(): never {
  console.error(USAGE)
  process.exit(2)
}

function fields(tenant: TenantListing): string {
  return table(
    [],
    Object.entries(tenant).map(([name, value]) => [name, String(value)]),
  ).trimStart()
}

function listing(tenants: readonly TenantListing[]): string {
  const rows = tenants.map((tenant) => [
    tenant.name,
    tenant.plan,
    tenant.cache_policy,
    tenant.budget,
    tenant.keeps_text ? 'yes' : 'no',
    String(tenant.retention_days),
    tenant.created_at.slice(0, 10),
  ])
  return table(['NAME', 'PLAN', 'CACHE', 'BUDGET', 'KEEPS TEXT', 'DAYS', 'SINCE'], rows)
}
