import { OperatorError } from '../stack/operator-error.ts'
import { ApiError, callApi } from './api.ts'

/** Where stored data has to stay; undefined = wherever Cloudflare sees fit. */
export type Jurisdiction = 'eu' | 'us'

export interface Found {
  readonly id: string
  readonly jurisdiction: string | undefined
}

/** One Cloudflare account, as far as a deployment asks of it. */
export interface CloudflareAccount {
  readonly id: string
  readonly name: string
  /** Of `{worker}.{subdomain}.workers.dev`; undefined while the account has none. */
  subdomain(): Promise<string | undefined>
  kvNamespace(title: string): Promise<Found | undefined>
  createKvNamespace(title: string, jurisdiction: Jurisdiction | undefined): Promise<void>
  queue(name: string): Promise<Found | undefined>
  createQueue(name: string, jurisdiction: Jurisdiction | undefined): Promise<void>
  /** None for a worker that is not there. */
  secretNames(worker: string): Promise<readonly string[]>
  /** The texts that the worker was deployed with, by name; undefined for a worker that is not there. */
  texts(worker: string): Promise<Readonly<Record<string, string>> | undefined>
  /** The version that answers all requests; undefined where there is none, or more than one. */
  deployed(worker: string): Promise<Version | undefined>
  /** The versions that can be deployed, newest first. */
  versions(worker: string): Promise<readonly Version[]>
}

export interface Version {
  readonly id: string
  /** The release that it is of; undefined when it was not deployed from here. */
  readonly tag: string | undefined
}

interface VersionData {
  readonly id: string
  readonly number?: number
  readonly annotations?: Readonly<Record<string, string>>
}
const versionOf = ({ id, annotations }: VersionData): Version => ({ id, tag: annotations?.['workers/tag'] })

const TOKEN_HELP =
  'Make one (dashboard, API tokens, template "Edit Cloudflare Workers", and add Account: Queues: Edit), and set CLOUDFLARE_API_TOKEN.'
const PAGE = 100

/**
 * @param wanted the account's id; may be left out where the token opens one account only
 * @throws OperatorError when the token is refused, or does not settle which account is meant
 */
export async function openAccount(
  baseUrl: string,
  token: string,
  wanted: string | undefined,
): Promise<CloudflareAccount> {
  const api = { vendor: 'Cloudflare', baseUrl, token, tokenHelp: TOKEN_HELP }
  const call = async <T>(method: string, path: string, body?: object): Promise<T> => {
    const { result } = (await callApi(api, method, path, body)) as { result: T }
    return result
  }
  const accounts = await call<{ id: string; name: string }[]>('GET', '/accounts?per_page=50')
  const account = accounts.find(({ id }) => id === wanted) ?? (wanted === undefined ? accounts[0] : undefined)
  if (!account || (wanted === undefined && accounts.length > 1))
    throw new OperatorError(whichOf(accounts, wanted))

  const at = `/accounts/${account.id}`
  const script = (worker: string) => `${at}/workers/scripts/${worker}`
  const namespaces = async () => {
    const spaces: { id: string; title: string; jurisdiction?: string }[] = []
    for (let page = 1; ; page++) {
      const part = await call<typeof spaces>(
        'GET',
        `${at}/storage/kv/namespaces?page=${page}&per_page=${PAGE}`,
      )
      spaces.push(...part)
      if (part.length < PAGE) return spaces
    }
  }
  return {
    ...account,
    subdomain: async () =>
      (await orNone(call<{ subdomain?: string } | null>('GET', `${at}/workers/subdomain`)))?.subdomain ||
      undefined,
    kvNamespace: async (title) => {
      const space = (await namespaces()).find((each) => each.title === title)
      return space && { id: space.id, jurisdiction: space.jurisdiction }
    },
    createKvNamespace: (title, jurisdiction) =>
      call('POST', `${at}/storage/kv/namespaces`, { title, ...(jurisdiction && { jurisdiction }) }),
    queue: async (name) => {
      const queues = await call<{ queue_id: string; queue_name: string; jurisdiction?: string }[]>(
        'GET',
        `${at}/queues?name=${name}`,
      )
      const queue = queues.find((each) => each.queue_name === name)
      return queue && { id: queue.queue_id, jurisdiction: queue.jurisdiction }
    },
    createQueue: (name, jurisdiction) =>
      call('POST', `${at}/queues`, { queue_name: name, ...(jurisdiction && { jurisdiction }) }),
    secretNames: async (worker) =>
      ((await orNone(call<{ name: string }[]>('GET', `${script(worker)}/secrets`))) ?? []).map(
        ({ name }) => name,
      ),
    texts: async (worker) => {
      const settings = await orNone(
        call<{ bindings: { name: string; text?: string }[] }>('GET', `${script(worker)}/settings`),
      )
      return settings && Object.fromEntries(settings.bindings.map(({ name, text = '' }) => [name, text]))
    },
    deployed: async (worker) => {
      const listed = await orNone(
        call<{ deployments: { versions: { version_id: string }[] }[] }>(
          'GET',
          `${script(worker)}/deployments`,
        ),
      )
      const versions = listed?.deployments[0]?.versions ?? []
      const [only] = versions
      if (!only || versions.length > 1) return undefined
      return versionOf(await call<VersionData>('GET', `${script(worker)}/versions/${only.version_id}`))
    },
    versions: async (worker) => {
      const path = `${script(worker)}/versions?deployable=true`
      const items = (await orNone(call<{ items: VersionData[] }>('GET', path)))?.items ?? []
      return items.toSorted((a, b) => (b.number ?? 0) - (a.number ?? 0)).map(versionOf)
    },
  }
}

const whichOf = (accounts: readonly { id: string; name: string }[], wanted: string | undefined): string => {
  const list = accounts.map(({ id, name }) => `${id} (${name})`).join(', ') || 'none'
  return wanted === undefined
    ? `The token does not settle which account is meant: ${list}. Set CLOUDFLARE_ACCOUNT_ID to one of them.`
    : `The token does not open the account ${wanted}, but: ${list}. Correct CLOUDFLARE_ACCOUNT_ID.`
}

/** What is not there is undefined. */
async function orNone<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined
    throw error
  }
}
