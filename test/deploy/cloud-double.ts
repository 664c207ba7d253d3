import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { App } from '@supabase/lite'
import { createPgliteConnection } from '@supabase/lite/pglite'
import { listen } from '../../scripts/stack/http.ts'
import { BASELINE } from '../../scripts/stack/supabase.ts'

export const ACCOUNT = 'a'.repeat(32)
export const CLOUDFLARE_TOKEN = 'cloudflare-token'
export const SUPABASE_TOKEN = 'sbp_token'
export const REF = 'abcdefghijklmnopqrst'

interface Upload {
  readonly metadata: object
  readonly id: string
  readonly number: number
  readonly annotations: Readonly<Record<string, string>>
  readonly bindings: readonly { readonly name: string; readonly type: string; readonly text?: string }[]
}
interface Script {
  readonly uploads: Upload[]
  readonly secrets: Map<string, string>
  deployed: string
}
interface Queue {
  readonly queue_id: string
  readonly queue_name: string
  readonly jurisdiction?: string
  readonly consumers: { readonly consumer_id: string; readonly script: string; readonly type: 'worker' }[]
}
interface Answer {
  readonly status: number
  readonly body: unknown
}

/** What the double keeps: as a test wants to find it, or as it puts it there beforehand. */
export interface Cloud {
  readonly cloudflareUrl: string
  readonly supabaseUrl: string
  /** Where the deployed gateway would answer. */
  readonly gatewayUrl: string
  accounts: { id: string; name: string }[]
  subdomain: string | undefined
  region: string
  status: string
  secretKey: string | undefined
  readonly spaces: { id: string; title: string; jurisdiction?: string }[]
  readonly queues: Queue[]
  readonly scripts: Map<string, Script>
  readonly keys: { id: string; tenant: string; key: string; revoked_at: string | null }[]
  /** Every request, as `METHOD /path`. */
  readonly log: string[]
  /** Requests that changed something. */
  readonly changes: string[]
  /** Called before a request is acted on (true = answer 500 instead), and once a change has been made. */
  before: ((request: string) => boolean) | undefined
  after: ((change: string) => Promise<void> | void) | undefined
  sql<Row>(query: string): Promise<Row[]>
  /** Nothing in it any more, database and all. */
  reset(): Promise<void>
  close(): Promise<void>
}

const ok = (result: unknown, status = 200): Answer => ({
  status,
  body: { success: true, errors: [], messages: [], result },
})
const refused = (status: number, message: string, code = 10_000): Answer => ({
  status,
  body: { success: false, errors: [{ code, message }], messages: [], result: null },
})
const absent = refused(404, 'This Worker does not exist on your account.', 10_007)

/** The management APIs of Cloudflare and Supabase, and the gateway once it is deployed, as far as a deployment meets them. */
export async function startCloud(): Promise<Cloud> {
  const connection = await createPgliteConnection({ url: 'memory://' })
  const { driver } = connection
  await driver.exec(BASELINE)
  await new App({ connection, auth: { secret_key: 's', publishable_key: 'p' } }).ensureSystemSchema()
  await driver.exec('drop schema supabase_migrations cascade')

  const handler =
    (answer: (request: Request, body: Uint8Array) => Promise<Answer>) =>
    async (incoming: IncomingMessage, outgoing: ServerResponse) => {
      const chunks: Buffer[] = []
      for await (const chunk of incoming) chunks.push(chunk as Buffer)
      const { method = 'GET', url = '/' } = incoming
      const said = `${method} ${url}`
      cloud.log.push(said)
      const headers = Object.entries(incoming.headers).map(
        ([name, value]) => [name, String(value)] as [string, string],
      )
      const { status, body } = cloud.before?.(said)
        ? refused(500, 'Something went wrong.')
        : await answer(new Request(`http://double${url}`, { method, headers }), Buffer.concat(chunks))
      outgoing.writeHead(status, { 'content-type': 'application/json' })
      outgoing.end(JSON.stringify(body))
    }
  const servers = [
    await listen(0, (...both) => void handler(cloudflare)(...both)),
    await listen(0, (...both) => void handler(supabase)(...both)),
    await listen(0, (...both) => void handler(gateway)(...both)),
  ] as const
  const changed = async (change: string) => {
    cloud.changes.push(change)
    await cloud.after?.(change)
  }
  const cloud: Cloud = {
    cloudflareUrl: servers[0].url,
    supabaseUrl: servers[1].url,
    gatewayUrl: servers[2].url,
    accounts: [],
    subdomain: undefined,
    region: '',
    status: '',
    secretKey: undefined,
    spaces: [],
    queues: [],
    scripts: new Map(),
    keys: [],
    log: [],
    changes: [],
    before: undefined,
    after: undefined,
    sql: async <Row>(query: string) => (await driver.query<Row>(query)).rows,
    reset: async () => {
      cloud.accounts = [{ id: ACCOUNT, name: 'A team' }]
      cloud.subdomain = 'team'
      cloud.region = 'eu-central-1'
      cloud.status = 'ACTIVE_HEALTHY'
      cloud.secretKey = `sb_secret_${'s'.repeat(32)}`
      for (const list of [cloud.spaces, cloud.queues, cloud.keys, cloud.log, cloud.changes]) list.length = 0
      cloud.scripts.clear()
      cloud.before = undefined
      cloud.after = undefined
      await driver.exec(
        'drop schema if exists supabase_migrations cascade; drop schema public cascade; create schema public',
      )
    },
    close: async () => {
      for (const server of servers) await server.close()
      await connection.close()
    },
  }
  await cloud.reset()

  async function cloudflare(request: Request, body: Uint8Array): Promise<Answer> {
    const { pathname, searchParams } = new URL(request.url)
    if (request.headers.get('authorization') !== `Bearer ${CLOUDFLARE_TOKEN}`)
      return refused(403, 'Authentication error')
    if (pathname === '/accounts') return ok(cloud.accounts)
    if (pathname === '/memberships') return ok(cloud.accounts.map((account) => ({ id: account.id, account })))
    const [, , accountId, ...rest] = pathname.split('/')
    if (accountId !== ACCOUNT) return refused(403, 'Authentication error')
    const json = () => JSON.parse(Buffer.from(body).toString() || '{}')
    const posted = request.method === 'POST'
    const path = rest.join('/')
    if (path === 'workers/subdomain')
      return cloud.subdomain ? ok({ subdomain: cloud.subdomain }) : refused(404, 'No subdomain', 10_007)
    if (path === 'storage/kv/namespaces') {
      if (!posted) return ok(cloud.spaces)
      if (cloud.spaces.some(({ title }) => title === json().title))
        return refused(400, 'A namespace with this title already exists', 10_014)
      cloud.spaces.push({ id: randomUUID().replaceAll('-', ''), ...json() })
      await changed(`kv ${json().title}`)
      return ok(cloud.spaces.at(-1))
    }
    if (path === 'queues') {
      const names = searchParams.getAll('name')
      if (!posted)
        return ok(cloud.queues.filter(({ queue_name }) => names.length === 0 || names.includes(queue_name)))
      if (cloud.queues.some(({ queue_name }) => queue_name === json().queue_name))
        return refused(409, 'The queue already exists', 11_009)
      cloud.queues.push({ queue_id: randomUUID().replaceAll('-', ''), consumers: [], ...json() })
      await changed(`queue ${json().queue_name}`)
      return ok(cloud.queues.at(-1))
    }
    if (path.startsWith('workers/scripts/')) return scripts(request, body, rest.slice(2))
    const service = /^workers\/services\/([^/]+)$/.exec(path)?.[1]
    if (service !== undefined)
      return cloud.scripts.has(service)
        ? ok({
            id: service,
            default_environment: {
              environment: 'production',
              script: { id: service, last_deployed_from: 'wrangler' },
            },
          })
        : refused(404, 'This Worker does not exist on your account.', 10_090)
    const worker = /^workers\/workers\/([^/]+)$/.exec(path)?.[1]
    if (worker !== undefined)
      return cloud.scripts.has(worker)
        ? ok({ id: worker, name: worker, tags: [], subdomain: { enabled: false, previews_enabled: false } })
        : absent
    const queue = cloud.queues.find(({ queue_id }) => path.startsWith(`queues/${queue_id}/consumers`))
    if (queue) {
      const script = json().script_name
      if (posted) queue.consumers.push({ consumer_id: randomUUID(), script, type: 'worker' })
      if (request.method !== 'GET') await changed(`consumer of ${queue.queue_name}`)
      return ok(queue.consumers)
    }
    return extra(request, path)
  }

  function extra(request: Request, path: string): Answer {
    return refused(404, `The double does not know ${request.method} ${path}`, 7_003)
  }

  async function scripts(
    request: Request,
    body: Uint8Array,
    [name = '', ...rest]: string[],
  ): Promise<Answer> {
    const script = cloud.scripts.get(name)
    const part = rest.join('/')
    const deploys = request.method === 'PUT' && part === ''
    if (deploys || (request.method === 'POST' && part === 'versions')) {
      const headers = { 'content-type': request.headers.get('content-type') ?? '' }
      const form = await new Response(body, { headers }).formData()
      const { annotations = {}, bindings = [] } = JSON.parse(String(form.get('metadata')))
      const kept = script ?? { uploads: [], secrets: new Map<string, string>(), deployed: '' }
      const metadata = {
        created_on: '2026-11-21T00:00:00Z',
        source: 'wrangler',
        author_id: 'a',
        author_email: 'a@example.com',
      }
      const upload: Upload = {
        metadata,
        id: randomUUID(),
        number: kept.uploads.length + 1,
        annotations,
        bindings,
      }
      for (const binding of upload.bindings)
        if (binding.type === 'secret_text') kept.secrets.set(binding.name, binding.text ?? '')
      kept.uploads.unshift(upload)
      if (deploys) kept.deployed = upload.id
      cloud.scripts.set(name, kept)
      await changed(`worker ${name}`)
      return ok({
        id: deploys ? name : upload.id,
        deployment_id: upload.id,
        startup_time_ms: 1,
        resources: { script: { etag: upload.id } },
      })
    }
    // It has all files of the page already, so none is asked for.
    if (part === 'assets-upload-session') return ok({ jwt: 'completed', buckets: [] })
    if (!script) return absent
    if (part === 'secrets')
      return ok([...script.secrets.keys()].map((each) => ({ name: each, type: 'secret_text' })))
    if (part === 'settings' || part === 'script-settings')
      return ok({ bindings: script.uploads[0]?.bindings ?? [] })
    if (part === 'deployments' && request.method === 'POST') {
      script.deployed = JSON.parse(Buffer.from(body).toString()).versions[0].version_id
      await changed(`deployed ${name}`)
      return ok({ id: randomUUID() })
    }
    if (part === 'deployments')
      return ok({
        deployments: [
          {
            id: randomUUID(),
            created_on: '2026-11-21T00:00:00Z',
            source: 'wrangler',
            strategy: 'percentage',
            author_email: 'a@example.com',
            annotations: {},
            versions: [{ version_id: script.deployed, percentage: 100 }],
          },
        ],
      })
    if (part === 'subdomain' || part === 'schedules') {
      if (request.method !== 'GET') await changed(`${part} ${name}`)
      return ok({ enabled: false, previews_enabled: false, schedules: [] })
    }
    if (part === 'versions') return ok({ items: script.uploads })
    const version = script.uploads.find(({ id }) => part === `versions/${id}`)
    return version
      ? ok({ ...version, resources: { script: { etag: version.id }, bindings: version.bindings } })
      : extra(request, `workers/scripts/${name}/${part}`)
  }

  async function supabase(request: Request, body: Uint8Array): Promise<Answer> {
    const { pathname } = new URL(request.url)
    if (request.headers.get('authorization') !== `Bearer ${SUPABASE_TOKEN}`)
      return { status: 401, body: { message: 'Unauthorized' } }
    const at = `/v1/projects/${REF}`
    if (pathname === at) return { status: 200, body: { id: REF, region: cloud.region, status: cloud.status } }
    if (pathname === `${at}/api-keys`)
      return {
        status: 200,
        body: [
          { name: 'anon', type: 'legacy', api_key: 'x' },
          { name: 'default', type: 'publishable', api_key: `sb_publishable_${'p'.repeat(32)}` },
          ...(cloud.secretKey ? [{ name: 'default', type: 'secret', api_key: cloud.secretKey }] : []),
        ],
      }
    if (pathname !== `${at}/database/query`) return { status: 404, body: { message: 'Not found' } }
    const { query } = JSON.parse(Buffer.from(body).toString())
    try {
      if (query.startsWith('select')) return { status: 201, body: await cloud.sql(query) }
      await driver.exec(query)
    } catch (error) {
      // The connection would be closed.
      await driver.exec('rollback')
      return { status: 400, body: { message: `Failed to run sql query: ${(error as Error).message}` } }
    }
    await changed(`sql ${/values \('(\d+)'/.exec(query)?.[1] ?? 'book'}`)
    return { status: 201, body: [] }
  }

  async function gateway(request: Request, body: Uint8Array): Promise<Answer> {
    const { pathname } = new URL(request.url)
    const secrets = cloud.scripts.get('beast-gateway')?.secrets
    if (!secrets) return { status: 404, body: {} }
    const bearer = request.headers.get('authorization')?.replace('Bearer ', '')
    const operator = bearer === secrets.get('OPERATOR_TOKEN')
    if (pathname === '/healthz') return { status: 200, body: { status: 'ok' } }
    if (pathname === '/readyz')
      return {
        status: 200,
        body: { ready: true, ...(operator && { stores: { supabase: 'up', redis: 'down' } }) },
      }
    if (pathname === '/v1/chat/completions') {
      const known = cloud.keys.some(({ key, revoked_at }) => key === bearer && revoked_at === null)
      const cached = request.headers.get('cache-control') === 'only-if-cached'
      return known && cached
        ? { status: 504, body: { error: { code: 'not_cached', message: 'No stored answer fits.' } } }
        : { status: 401, body: { error: { code: 'invalid_api_key', message: 'The key is not known.' } } }
    }
    if (!operator || !pathname.startsWith('/api/admin/keys'))
      return { status: 401, body: { error: { message: 'No.' } } }
    if (request.method === 'GET') return { status: 200, body: { data: cloud.keys } }
    if (request.method === 'DELETE') {
      const key = cloud.keys.find(({ id }) => pathname.endsWith(id))
      if (key) key.revoked_at = '2026-11-21T00:00:00Z'
      await changed('revoked')
      return { status: 200, body: {} }
    }
    const { tenant } = JSON.parse(Buffer.from(body).toString())
    cloud.keys.push({ id: randomUUID(), tenant, key: `bm_live_${randomUUID()}`, revoked_at: null })
    await changed('key')
    return { status: 201, body: cloud.keys.at(-1) }
  }
  return cloud
}
