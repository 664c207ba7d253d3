import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import type { AuditEntry } from '../src/tenants/audit.ts'
import type { AdminClient } from './stack/admin-client.ts'
import { OPERATOR_OPTIONS, operatorClient, table } from './stack/operator.ts'
import { OperatorError, runCommand } from './stack/operator-error.ts'

const USAGE = `usage: npm run audit -- [--from TIME] [--to TIME] [--tenant NAME] [--action WORD] [--actor operator|KEY-ID] [--limit N]
       npm run audit -- --export FILE [the same, without --limit]     all of it, an entry a line
TIME is a day such as 2026-11-21, or a moment such as 2026-11-21T08:00:00Z.
${OPERATOR_OPTIONS}`
const FILTERS = ['from', 'to', 'tenant', 'action', 'actor'] as const
const PAGE = 500

interface Page {
  readonly data: readonly AuditEntry[]
  readonly next_cursor: string | null
}

await runCommand(main)

async function main(): Promise<void> {
  const values = readArguments()
  const client = operatorClient(values.url)
  const query = new URLSearchParams()
  for (const name of FILTERS) if (values[name] !== undefined) query.set(name, values[name])
  if (values.export !== undefined) {
    const entries = await save(client, query, values.export)
    const said = `${entries} entries are in ${values.export}.`
    console.log(values.json ? JSON.stringify({ entries, file: values.export }) : said)
    return
  }
  query.set('limit', values.limit ?? '50')
  const { data } = await client.request<Page>('GET', `/api/admin/audit?${query}`)
  if (values.json) console.log(JSON.stringify(data))
  else console.log(data.length === 0 ? 'Nothing like this was done.' : listing(data))
}

/** A file is there only once it is complete. */
async function save(client: AdminClient, query: URLSearchParams, file: string): Promise<number> {
  let entries = 0
  async function* lines(): AsyncGenerator<string> {
    query.set('limit', String(PAGE))
    for (;;) {
      const { data, next_cursor } = await client.request<Page>('GET', `/api/admin/audit?${query}`)
      entries += data.length
      yield data.map((entry) => `${JSON.stringify(entry)}\n`).join('')
      if (next_cursor === null) return
      query.set('cursor', next_cursor)
    }
  }
  const unfinished = `${file}.part`
  try {
    await pipeline(Readable.from(lines()), createWriteStream(unfinished, { mode: 0o600 }))
    await rename(unfinished, file)
    return entries
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => {})
    if (error instanceof OperatorError) throw error
    throw new OperatorError(`The file cannot be written: ${(error as Error).message}.`)
  }
}

function readArguments() {
  try {
    const text = { type: 'string' } as const
    const options = {
      ...{ from: text, to: text, tenant: text, action: text, actor: text, limit: text },
      export: text,
      url: text,
      json: { type: 'boolean' },
    } as const
    const { values } = parseArgs({ options })
    if (values.export === undefined || (values.export !== '' && values.limit === undefined)) return values
  } catch {}
  console.error(USAGE)
  process.exit(2)
}

function listing(entries: readonly AuditEntry[]): string {
  const rows = entries.map(
    ({ at, actor, actor_id, action, tenant, tenant_id, target, failure, ...states }) => [
      at.slice(0, 19),
      actor_id ?? actor,
      action,
      tenant ?? (tenant_id ? `(${tenant_id})` : ''),
      target ?? '',
      failure ?? 'done',
      changed(states),
    ],
  )
  return table(['WHEN', 'WHO', 'WHAT', 'TENANT', 'OF', 'OUTCOME', 'BEFORE > AFTER'], rows)
}

function changed({ before, after }: Pick<AuditEntry, 'before' | 'after'>): string {
  if (before === null && after === null) return ''
  return [before, after].map((state) => (state === null ? '-' : JSON.stringify(state))).join(' > ')
}
