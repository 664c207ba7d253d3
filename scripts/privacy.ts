import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import type { Erasure } from '../src/feedback/privacy.ts'
import type { AdminClient } from './stack/admin-client.ts'
import { OPERATOR_OPTIONS, operatorClient } from './stack/operator.ts'
import { OperatorError, runCommand } from './stack/operator-error.ts'

const USAGE = `usage: npm run privacy -- export --tenant NAME [--user USER] [--out FILE]
       npm run privacy -- erase --tenant NAME [--user USER] --yes
USER is what the tenant's requests have in their field "user". What is erased cannot be brought back.
${OPERATOR_OPTIONS}`

const AGAIN = 'Do it again: what came so far is not all.'
const pathOf = (tenant: string): string => `/api/admin/tenants/${encodeURIComponent(tenant)}`

await runCommand(main)

async function main(): Promise<void> {
  const { command, values } = readArguments()
  const { tenant, user } = values
  // An empty name must never mean "all of them".
  if (!tenant || user === '') usage()
  const client = operatorClient(values.url)
  const whom = user === undefined ? `tenant "${tenant}"` : `user "${user}" of tenant "${tenant}"`
  if (command === 'export') {
    const rows = await save(client, tenant, user, values.out)
    // Without a file the rows themselves are on standard output.
    if (values.out === undefined) return
    const said = `${rows} rows of ${whom} are in ${values.out}.`
    console.log(values.json ? JSON.stringify({ rows, file: values.out }) : said)
  } else if (command === 'erase') {
    if (!values.yes) throw new OperatorError(`This erases ${whom} for good. Say so with --yes.`)
    const removed = await erase(client, tenant, user)
    const list = Object.entries(removed).map(([table, rows]) => `\n  ${table} ${rows}`)
    console.log(values.json ? JSON.stringify({ removed }) : `Erased ${whom}.${list.join('')}`)
  } else usage()
}

/** @returns how many rows there were. A file is there only once it is complete. */
async function save(
  client: AdminClient,
  tenant: string,
  user: string | undefined,
  file: string | undefined,
): Promise<number> {
  const query = user === undefined ? '' : `?user=${encodeURIComponent(user)}`
  const response = await client.open('GET', `${pathOf(tenant)}/export${query}`)
  if (file === undefined) return copy(response, process.stdout)
  const unfinished = `${file}.part`
  try {
    const rows = await copy(response, createWriteStream(unfinished, { mode: 0o600 }))
    await rename(unfinished, file)
    return rows
  } catch (error) {
    await rm(unfinished, { force: true })
    throw error
  }
}

/** Copies line after line, and looks for the last one, without which something is missing. */
async function copy({ body }: Response, to: Writable): Promise<number> {
  let line = ''
  async function* lines(): AsyncGenerator<string> {
    const decoder = new TextDecoder()
    for await (const chunk of body ?? []) {
      const text = decoder.decode(chunk, { stream: true })
      line += text
      const end = line.lastIndexOf('\n', line.length - 2)
      if (end >= 0) line = line.slice(end + 1)
      yield text
    }
  }
  try {
    await pipeline(lines, to, { end: to !== process.stdout })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new OperatorError(
      /^E[A-Z]+$/.test(code ?? '')
        ? `The file cannot be written: ${message}.`
        : `The export broke off. ${AGAIN}`,
    )
  }
  const last = parsed(line)
  if (last?.complete === true) return Number(last.rows)
  throw new OperatorError(
    `The export broke off. ${last?.error?.message ?? ''} ${AGAIN}`.replace(/ {2,}/, ' '),
  )
}

function parsed(
  line: string,
): { complete?: boolean; rows?: number; error?: { message?: string } } | undefined {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

/** Call after call, each of which goes on where the one before ended. */
async function erase(
  client: AdminClient,
  tenant: string,
  user: string | undefined,
): Promise<Record<string, number>> {
  const total: Record<string, number> = {}
  for (;;) {
    const erasure = await client
      .request<Erasure>('POST', `${pathOf(tenant)}/erase`, { confirm: user ?? tenant, user })
      .catch((error: unknown) => {
        if (!(error instanceof OperatorError) || Object.keys(total).length === 0) throw error
        throw new OperatorError(`${error.message} The erasure is not complete: the same command goes on.`)
      })
    for (const [table, rows] of Object.entries(erasure.removed)) total[table] = (total[table] ?? 0) + rows
    if (erasure.complete) return total
  }
}

function readArguments() {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: {
        tenant: { type: 'string' },
        user: { type: 'string' },
        out: { type: 'string' },
        yes: { type: 'boolean' },
        url: { type: 'string' },
        json: { type: 'boolean' },
      },
    })
    if (positionals.length > 1) usage()
    return { command: positionals[0], values }
  } catch {
    return usage()
  }
}

function usage(): never {
  console.error(USAGE)
  process.exit(2)
}
