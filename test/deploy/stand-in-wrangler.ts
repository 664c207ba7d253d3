import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Wrangler } from '../../scripts/deploy/wrangler.ts'
import { OperatorError } from '../../scripts/stack/operator-error.ts'
import { ACCOUNT, CLOUDFLARE_TOKEN } from './cloud-double.ts'

interface Config {
  readonly name: string
  readonly vars?: Readonly<Record<string, string>>
  readonly triggers?: object
  readonly queues?: { readonly consumers?: readonly { readonly queue: string }[] }
}

/** Asks of the double what wrangler asks, in its order, without bundling: quick enough to be broken off at every step. */
export function standInWrangler(cloudflareUrl: string): Wrangler {
  const at = `${cloudflareUrl}/accounts/${ACCOUNT}`
  const call = async (method: string, path: string, body?: BodyInit) => {
    const headers = { authorization: `Bearer ${CLOUDFLARE_TOKEN}` }
    const response = await fetch(`${at}${path}`, { method, headers, ...(body !== undefined && { body }) })
    if (!response.ok) throw new OperatorError(`wrangler failed: ${await response.text()}`)
    return (await response.json()) as { result: unknown }
  }
  const read = (config: string): Config => JSON.parse(readFileSync(config, 'utf8'))
  const triggers = async (config: string) => {
    const { name, queues, triggers } = read(config)
    await call('POST', `/workers/scripts/${name}/subdomain`, '{}')
    if (triggers) await call('PUT', `/workers/scripts/${name}/schedules`, '[]')
    for (const { queue } of queues?.consumers ?? []) {
      const { result } = await call('GET', `/queues?name=${queue}`)
      const [found] = result as { queue_id: string; consumers: { script: string }[] }[]
      if (found && !found.consumers.some(({ script }) => script === name))
        await call('POST', `/queues/${found.queue_id}/consumers`, JSON.stringify({ script_name: name }))
    }
  }
  return {
    token: async () => CLOUDFLARE_TOKEN,
    digest: async (config) => createHash('sha256').update(readFileSync(config)).digest('hex'),
    deploy: async (config, tag, secretsFile) => {
      const { name, vars = {} } = read(config)
      const secrets: object = secretsFile === undefined ? {} : JSON.parse(readFileSync(secretsFile, 'utf8'))
      const bound = (values: object, type: string) =>
        Object.entries(values).map(([each, text]) => ({ name: each, type, text }))
      const form = new FormData()
      const bindings = [...bound(secrets, 'secret_text'), ...bound(vars, 'plain_text')]
      form.set('metadata', JSON.stringify({ annotations: { 'workers/tag': tag }, bindings }))
      await call('PUT', `/workers/scripts/${name}`, form)
      await triggers(config)
    },
    triggers,
    rollback: async (_account, worker, versionId) => {
      const versions = [{ version_id: versionId, percentage: 100 }]
      await call('POST', `/workers/scripts/${worker}/deployments`, JSON.stringify({ versions }))
    },
  }
}
