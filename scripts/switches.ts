import { userInfo } from 'node:os'
import { parseArgs } from 'node:util'
import type { SwitchJson } from '../src/switches/switch.ts'
import { OPERATOR_OPTIONS, operatorClient, table } from './stack/operator.ts'
import { runCommand } from './stack/operator-error.ts'

const USAGE = `usage: npm run switches -- list
       npm run switches -- off KIND NAME --note WHY [--for 30m|2h|1d | --until TIME] [--by WHO]
       npm run switches -- on KIND NAME
kinds: cache (all, memory, kv, redis, supabase), model (provider:name), provider, tenant
${OPERATOR_OPTIONS}`

const PATH = '/api/admin/switches'
const UNIT_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 }

await runCommand(main)

async function main(): Promise<void> {
  const { words, values } = readArguments()
  const [command, kind, name] = words
  const client = operatorClient(values.url)
  const print = (value: unknown, text: string) => console.log(values.json ? JSON.stringify(value) : text)
  if (command === 'list' && words.length === 1) {
    const { data } = await client.request<{ data: SwitchJson[] }>('GET', PATH)
    print(data, data.length === 0 ? 'Everything is on.' : listing(data))
    return
  }
  if (!kind || !name || words.length !== 3) usage()
  if (command === 'off' && values.note) {
    const change = { kind, name, note: values.note, by: values.by ?? whoami(), until: endOf(values) }
    const thrown = await client.request<SwitchJson>('PUT', PATH, change)
    const end = thrown.until === null ? 'until you turn it on' : `until ${thrown.until}`
    print(thrown, `Off: ${kind} ${name}, everywhere within 90 s, ${end}.`)
  } else if (command === 'on') {
    const query = new URLSearchParams({ kind, name })
    print(await client.request('DELETE', `${PATH}?${query}`), `On: ${kind} ${name}, everywhere within 90 s.`)
  } else usage()
}

function endOf({ for: length, until }: { for?: string | undefined; until?: string | undefined }) {
  if (length === undefined) return until
  const [, count, unit = ''] = /^(\d{1,5})([mhd])$/.exec(length) ?? []
  const unitMs = UNIT_MS[unit]
  if (until !== undefined || unitMs === undefined) return usage()
  return new Date(Date.now() + Number(count) * unitMs).toISOString()
}

function whoami(): string | undefined {
  try {
    return userInfo().username
  } catch {
    // An account without a name, as in some containers.
    return undefined
  }
}

function readArguments() {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: {
        note: { type: 'string' },
        for: { type: 'string' },
        until: { type: 'string' },
        by: { type: 'string' },
        url: { type: 'string' },
        json: { type: 'boolean' },
      },
    })
    return { words: positionals, values }
  } catch {
    return usage()
  }
}

function usage(): never {
  console.error(USAGE)
  process.exit(2)
}

function listing(switches: readonly SwitchJson[]): string {
  const rows = switches.map(({ kind, name, until, at, by, note }) => [
    kind,
    name,
    at.slice(0, 16),
    until?.slice(0, 16) ?? 'turned on',
    by,
    note,
  ])
  return table(['KIND', 'OFF', 'SINCE', 'UNTIL', 'BY', 'WHY'], rows)
}
