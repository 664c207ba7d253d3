import { operatorArguments, usage } from './stack/arguments.ts'
import { OPERATOR_OPTIONS, operatorClient, table } from './stack/operator.ts'
import { runCommand } from './stack/operator-error.ts'

const USAGE = `usage: npm run cache -- stats --tenant NAME
       npm run cache -- purge --tenant NAME --tag NAME | --model NAME | --prediction ID | --all
${OPERATOR_OPTIONS}`

interface Stats {
  readonly tiers: readonly {
    readonly tier: string
    readonly entries: number | null
    readonly bytes: number | null
    readonly hits_last_hour: number
  }[]
  readonly marks: readonly { readonly mark: string; readonly purged_at: string }[]
}

interface Purged {
  readonly purged_by: 'mark' | 'epoch' | 'none'
  readonly effective_within_seconds: number
}

await runCommand(main)

async function main(): Promise<void> {
  const { positionals, values } = operatorArguments(USAGE, {
    tenant: { type: 'string' },
    tag: { type: 'string' },
    model: { type: 'string' },
    prediction: { type: 'string' },
    all: { type: 'boolean' },
  })
  const [command] = positionals
  const { tenant, tag, model, prediction, all } = values
  if (tenant === undefined) usage(USAGE)
  const client = operatorClient(values.url)
  const print = (value: unknown, text: string) => console.log(values.json ? JSON.stringify(value) : text)
  const named = [tag, model, prediction, all].filter((each) => each !== undefined).length
  if (command === 'stats' && named === 0) {
    const stats = await client.request<Stats>('GET', `/api/cache/stats?${new URLSearchParams({ tenant })}`)
    print(stats, listing(stats))
  } else if (command === 'purge' && named === 1) {
    const query = new URLSearchParams({ tenant, ...(prediction && { prediction }) })
    const purged = prediction
      ? await client.request<Purged>('DELETE', `/api/cache/entries?${query}`)
      : await client.request<Purged>('POST', `/api/cache/purge?${query}`, { tag, model, all })
    print(purged, said(purged))
  } else usage(USAGE)
}

function said({ purged_by, effective_within_seconds: seconds }: Purged): string {
  const all = purged_by === 'epoch' ? ', with all that the tenant has' : ''
  return `Purged${all}: gone where it was done, everywhere within ${seconds} s.`
}

function listing({ tiers, marks }: Stats): string {
  const rows = tiers.map((each) => [
    each.tier,
    String(each.entries ?? '-'),
    String(each.bytes ?? '-'),
    String(each.hits_last_hour),
  ])
  const shown = table(['TIER', 'ENTRIES', 'BYTES', 'HITS OF THE LAST HOUR'], rows)
  if (marks.length === 0) return `${shown}\n\nNo marks hold.`
  const held = marks.map(({ mark, purged_at }) => [mark, purged_at.slice(0, 19)])
  return `${shown}\n\n${table(['MARK', 'PURGED AT (UTC)'], held)}`
}
