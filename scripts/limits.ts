import { operatorArguments, usage } from './stack/arguments.ts'
import { OPERATOR_OPTIONS, operatorClient, table } from './stack/operator.ts'
import { runCommand } from './stack/operator-error.ts'

const USAGE = `usage: npm run limits -- list --tenant NAME
       npm run limits -- set --tenant NAME [--key ID] [--requests N] [--tokens N] [--concurrency N] [--max-tokens N]
       npm run limits -- remove --tenant NAME [--key ID]
Requests and tokens are those of a minute. What "set" does not name is not limited any more.
${OPERATOR_OPTIONS}`

interface LimitListing {
  readonly key_id: string | null
  readonly requests_per_minute: number | null
  readonly tokens_per_minute: number | null
  readonly concurrency: number | null
  readonly max_tokens: number | null
  readonly requests_used: number
  readonly tokens_used: number
  readonly in_flight: number
}

await runCommand(main)

async function main(): Promise<void> {
  const { positionals, values } = operatorArguments(USAGE, {
    tenant: { type: 'string' },
    key: { type: 'string' },
    requests: { type: 'string' },
    tokens: { type: 'string' },
    concurrency: { type: 'string' },
    'max-tokens': { type: 'string' },
  })
  const [command] = positionals
  const { tenant, key, requests, tokens, concurrency, 'max-tokens': maxTokens } = values
  if (tenant === undefined) usage(USAGE)
  const client = operatorClient(values.url)
  const print = (value: unknown, text: string) => console.log(values.json ? JSON.stringify(value) : text)
  if (command === 'list') {
    const query = new URLSearchParams({ tenant })
    const { data } = await client.request<{ data: LimitListing[] }>('GET', `/api/limits?${query}`)
    print(data, data.length === 0 ? `Tenant "${tenant}" has no limits.` : listing(data))
  } else if (command === 'set' && (requests ?? tokens ?? concurrency ?? maxTokens) !== undefined) {
    const limits = {
      tenant,
      key_id: key,
      requests_per_minute: numberOf(requests),
      tokens_per_minute: numberOf(tokens),
      concurrency: numberOf(concurrency),
      max_tokens: numberOf(maxTokens),
    }
    const { data } = await client.request<{ data: LimitListing[] }>('PUT', '/api/limits', limits)
    print(data, `In force now. Limits of tenant "${tenant}":\n\n${listing(data)}`)
  } else if (command === 'remove') {
    const query = new URLSearchParams({ tenant, ...(key && { key_id: key }) })
    print(await client.request('DELETE', `/api/limits?${query}`), 'Removed.')
  } else usage(USAGE)
}

/** What is no number is sent as it is, for the gateway to say so. */
function numberOf(text: string | undefined): number | string | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : text
}

function listing(limits: readonly LimitListing[]): string {
  const of = (used: number, limit: number | null) => (limit === null ? '-' : `${used} of ${limit}`)
  const rows = limits.map((each) => [
    each.key_id ?? 'all',
    of(each.requests_used, each.requests_per_minute),
    of(each.tokens_used, each.tokens_per_minute),
    of(each.in_flight, each.concurrency),
    each.max_tokens === null ? '-' : String(each.max_tokens),
  ])
  return table(['KEY', 'REQUESTS/MIN', 'TOKENS/MIN', 'AT ONCE', 'MAX_TOKENS'], rows)
}
