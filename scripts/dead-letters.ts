import { parseArgs } from 'node:util'
import type { DeadLetterListing, Replay } from '../src/feedback/dead-letters.ts'
import { OPERATOR_OPTIONS, operatorClient, table } from './stack/operator.ts'
import { runCommand } from './stack/operator-error.ts'

const USAGE = `usage: npm run dead-letters                 let the recorder try once more what it could not store
       npm run dead-letters -- --list      show it, and why, instead
${OPERATOR_OPTIONS}`
const PAGE = 100

await runCommand(main)

async function main(): Promise<void> {
  const values = readArguments()
  const client = operatorClient(values.url)
  const print = (value: unknown, text: string) => console.log(values.json ? JSON.stringify(value) : text)
  if (values.list) {
    const { data } = await client.request<{ data: DeadLetterListing[] }>('GET', '/api/admin/dead-letters')
    const lines = data.map((letter) => [letter.buried_at.slice(0, 19), letter.kind, letter.id, letter.reason])
    print(
      data,
      data.length === 0 ? 'There are no dead letters.' : table(['BURIED', 'KIND', 'ID', 'REASON'], lines),
    )
    return
  }
  let [sent, left] = [0, 0]
  for (;;) {
    const path = `/api/admin/dead-letters/replay?limit=${PAGE}&skip=${sent + left}`
    const page = await client.request<Replay>('POST', path)
    sent += page.sent
    left += page.left
    if (page.sent + page.left < PAGE) break
  }
  const rest = left > 0 ? ` ${left} are no records at all, and stay.` : ''
  const next = 'npm run dead-letters -- --list shows what is refused again.'
  print({ sent, left }, `Sent ${sent} to be stored once more: ${next}${rest}`)
}

function readArguments() {
  try {
    const options = {
      list: { type: 'boolean' },
      url: { type: 'string' },
      json: { type: 'boolean' },
    } as const
    return parseArgs({ options }).values
  } catch {
    console.error(USAGE)
    process.exit(2)
  }
}
