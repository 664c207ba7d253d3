import { operatorArguments, usage } from './stack/arguments.ts'
import { OPERATOR_OPTIONS, operatorClient, table } from './stack/operator.ts'
import { runCommand } from './stack/operator-error.ts'

const USAGE = `usage: npm run budgets -- list --tenant NAME
       npm run budgets -- set --tenant NAME --period day|month --limit USD [--key ID] [--soft]
       npm run budgets -- remove --tenant NAME --period day|month [--key ID]
${OPERATOR_OPTIONS}`

interface BudgetListing {
  readonly key_id: string | null
  readonly period: string
  readonly hard: boolean
  readonly limit_usd: number
  readonly spent_usd: number
  readonly reserved_usd: number
  readonly resets_at: string
}

await runCommand(main)

async function main(): Promise<void> {
  const { positionals, values } = operatorArguments(USAGE, {
    tenant: { type: 'string' },
    period: { type: 'string' },
    limit: { type: 'string' },
    key: { type: 'string' },
    soft: { type: 'boolean' },
  })
  const [command] = positionals
  const { tenant, period, limit, key, soft = false } = values
  if (tenant === undefined) usage(USAGE)
  const client = operatorClient(values.url)
  const print = (value: unknown, text: string) => console.log(values.json ? JSON.stringify(value) : text)
  if (command === 'list') {
    const query = new URLSearchParams({ tenant })
    const { data } = await client.request<{ data: BudgetListing[] }>('GET', `/api/budgets?${query}`)
    print(data, data.length === 0 ? `Tenant "${tenant}" has no budgets: nothing limits it.` : listing(data))
  } else if (command === 'set' && period && limit) {
    const budget = { tenant, period, limit_usd: Number(limit), hard: !soft, key_id: key }
    const { data } = await client.request<{ data: BudgetListing[] }>('PUT', '/api/budgets', budget)
    print(data, `In force now. Budgets of tenant "${tenant}":\n\n${listing(data)}`)
  } else if (command === 'remove' && period) {
    const query = new URLSearchParams({ tenant, period, ...(key && { key_id: key }) })
    print(await client.request('DELETE', `/api/budgets?${query}`), 'Removed.')
  } else usage(USAGE)
}

function listing(budgets: readonly BudgetListing[]): string {
  const rows = budgets.map(({ key_id, period, hard, limit_usd, spent_usd, reserved_usd, resets_at }) => [
    key_id ?? 'all',
    period,
    hard ? 'hard' : 'soft',
    ...[limit_usd, spent_usd, reserved_usd].map((usd) => `$${usd}`),
    resets_at.slice(0, 16),
  ])
  return table(['KEY', 'PERIOD', 'KIND', 'LIMIT', 'SPENT', 'RESERVED', 'BEGINS ANEW'], rows)
}
