import { parseArgs } from 'node:util'
import { ModelsClient, type ModelView, type RotationReport } from './stack/models-client.ts'
import { OPERATOR_OPTIONS, operatorClient, table } from './stack/operator.ts'
import { OperatorError, runCommand } from './stack/operator-error.ts'

const USAGE = `usage: npm run models -- add ID --tenant NAME --endpoint URL [--model NAME] [--name TEXT]
                         [--format openai|anthropic|gemini|workers-ai] [--key-from VARIABLE]
       npm run models -- list|show|test|disable|enable|publish|unpublish|remove [ID] --tenant NAME
       npm run models -- set ID --tenant NAME [--endpoint URL] [--model NAME] [--key-from VARIABLE]
                         [--upstream PROVIDER:MODEL]      (upstream: for the system's models, tenant beast-system)
       npm run models -- rotate-keys [--cursor CURSOR]
--key-from names the environment variable that holds the endpoint's API key, so that it stands in no history.
${OPERATOR_OPTIONS}`

const OPTIONS = {
  tenant: { type: 'string' },
  endpoint: { type: 'string' },
  model: { type: 'string' },
  name: { type: 'string' },
  format: { type: 'string' },
  upstream: { type: 'string' },
  'key-from': { type: 'string' },
  cursor: { type: 'string' },
  url: { type: 'string' },
  json: { type: 'boolean' },
} as const

await runCommand(main)

async function main(): Promise<void> {
  const { command, id = '', values } = readArguments()
  const { tenant } = values
  if (command !== 'rotate-keys' && (!tenant || (command !== 'list' && !id))) usage()
  const client = new ModelsClient(operatorClient(values.url), tenant ?? '')
  const print = (value: unknown, text: string) => console.log(values.json ? JSON.stringify(value) : text)
  const change = async (body: object, said: string) => print(await client.change(id, body), said)

  switch (command) {
    case 'add': {
      const made = await client.add({ model_id: id, ...fields(values), config: configOf(values) })
      const found = made.discovered.map((model) => model.id).join(', ')
      const names = found && `\nThe endpoint has: ${found}`
      return print(
        made,
        `Added. Call it as ${made.id}; try it with: npm run models -- test ${id} --tenant ${tenant}${names}`,
      )
    }
    case 'list': {
      const models = await client.list()
      return print(models, listing(models))
    }
    case 'show': {
      const model = await client.show(id)
      return print(model, JSON.stringify(model, null, 2))
    }
    case 'test': {
      const report = await client.test(id)
      print(
        report,
        `${report.ok ? 'It works' : 'It does not work'} (${report.status_class}, ${report.latency_ms} ms). ${report.tip}`,
      )
      if (!report.ok) process.exitCode = 1
      return
    }
    case 'disable':
      return change({ is_active: false }, 'Disabled: no request reaches it within a minute.')
    case 'enable':
      return change({ is_active: true }, 'Enabled.')
    case 'publish': {
      // What is published is what was looked at: a change of its tenant in between ends in a conflict.
      const { revision, endpoint_url } = await client.show(id)
      return change(
        { is_public: true, revision },
        `Published to all tenants, as it is now: ${endpoint_url ?? 'served by a provider of yours'}.`,
      )
    }
    case 'unpublish':
      return change({ is_public: false }, 'Unpublished.')
    case 'set': {
      const { config, revision } = await client.show(id)
      return change({ ...fields(values), config: { ...config, ...configOf(values) }, revision }, 'Changed.')
    }
    case 'remove':
      return print(await client.remove(id), 'Removed.')
    case 'rotate-keys':
      return rotate(client, values.cursor, print)
    default:
      usage()
  }
}

/** Batch after batch, so that it can be ended at any moment. */
async function rotate(
  client: ModelsClient,
  from: string | undefined,
  print: (value: unknown, text: string) => void,
): Promise<void> {
  let cursor: string | null | undefined = from
  const total = { rewrapped: 0, unchanged: 0, failed: [] as { table: string; id: string }[] }
  do {
    const batch: RotationReport = await client.rotate(cursor).catch((error: unknown) => {
      if (!(error instanceof OperatorError) || !cursor) throw error
      throw new OperatorError(`${error.message} Go on with: npm run models -- rotate-keys --cursor ${cursor}`)
    })
    total.rewrapped += batch.rewrapped
    total.unchanged += batch.unchanged
    total.failed.push(...batch.failed)
    cursor = batch.cursor
  } while (cursor !== null)
  const lost = total.failed.map(({ table: name, id }) => `\nDoes not open: ${name} ${id}`).join('')
  const next = lost ? 'Enter these keys anew before you remove an old KEK.' : 'Older KEKs may be removed now.'
  print(total, `Rewrapped ${total.rewrapped}, unchanged ${total.unchanged}.${lost}\n${next}`)
  if (lost) process.exitCode = 1
}

function readArguments() {
  try {
    const { positionals, values } = parseArgs({ allowPositionals: true, options: OPTIONS })
    return { command: positionals[0], id: positionals[1], values }
  } catch {
    return usage()
  }
}

type Values = ReturnType<typeof readArguments>['values']

function fields(values: Values): object {
  const { endpoint, name, format } = values
  return {
    ...(endpoint !== undefined && { endpoint_url: endpoint }),
    ...(name !== undefined && { model_name: name }),
    ...(format !== undefined && { wire_format: format }),
    ...keyOf(values['key-from']),
  }
}

function configOf({ model, upstream }: Values): object {
  return { ...(model !== undefined && { model }), ...(upstream !== undefined && { upstream }) }
}

function keyOf(variable: string | undefined): object {
  if (variable === undefined) return {}
  const key = process.env[variable]
  if (key) return { api_key: key }
  throw new OperatorError(
    `The environment variable ${variable} is empty. Put the endpoint's API key into it.`,
  )
}

function listing(models: readonly ModelView[]): string {
  const rows = models.map((model) => [
    model.id,
    model.owned ? (model.endpoint_url ?? 'a provider of the operator') : 'public',
    model.wire_format ?? '',
    model.api_key_hint ?? '',
    [model.is_active ? 'active' : 'disabled', ...(model.owned && model.is_public ? ['public'] : [])].join(
      ', ',
    ),
  ])
  return table(['MODEL', 'ENDPOINT', 'FORMAT', 'KEY', 'STATE'], rows)
}

function usage(): never {
  console.error(USAGE)
  process.exit(2)
}
