import type { Clock, WaitUntil } from '../core/clock.ts'
import { Lru } from '../core/lru.ts'
import type { ListedModel } from '../providers/adapter.ts'
import { PLANS } from '../tenants/tenant.ts'
import { toModels } from './custom-routes.ts'
import type { Model } from './model.ts'
import type { Endpoint, Provider, Route } from './provider.ts'
import type { CustomModel, ModelAlias, ProviderKey } from './registry.ts'
import type { ModelSnapshot } from './registry-cache.ts'

export interface CatalogueOptions {
  readonly clock: Clock
  /** The operator's, in order of preference. */
  readonly providers: readonly Provider[]
  /** Asks a provider which models it has. Rejects when it does not say. */
  readonly list: (provider: Provider) => Promise<readonly ListedModel[]>
  /** What tenants added. Never rejects. */
  readonly registry: { of(tenantId: string, waitUntil: WaitUntil): Promise<ModelSnapshot> }
}

/** Every model that may matter to one tenant's requests; which of them it may use, selection says. */
export interface TenantModels {
  readonly models: readonly Model[]
  /** Those that bear the name, whole or without their provider's: some list hundreds, and each request names one. */
  named(name: string): readonly Model[]
  readonly aliases: readonly ModelAlias[]
  /** Providers whose list could not be read so far: what is named at one of them is taken on trust. */
  readonly unlisted: readonly Provider[]
  /** False while the tenant's own models could not be read: what is not here may still exist. */
  readonly isComplete: boolean
  /** Changes when somebody changes the configuration; the same in every isolate, whatever lists it has read. */
  readonly revision: string
}

/** How long a provider's own list is believed; for as long again it serves while it is read anew. */
const LIST_MS = 60_000
/** How long a provider that did not answer is left alone. */
const RETRY_MS = 5_000
/** About what a listed model and what is made of it take, bytes; an isolate has 128 MB in all. */
const LISTED_BYTES = 100
const MODEL_BYTES = 500
const MAX_LISTS = { maxEntries: 2_000, maxBytes: 8_000_000, ownerShare: 1 }
const MAX_TENANTS = { maxEntries: 5_000, maxBytes: 16_000_000, ownerShare: 1 }

interface Listed {
  /** Undefined: it never said. */
  readonly models: readonly ListedModel[] | undefined
  readonly freshUntilMs: number
}

/** Models of some providers, with the lists that they were made from: as long as those stand, so do they. */
interface Provided {
  readonly lists: readonly Listed[]
  readonly models: readonly Model[]
  readonly byName: NameIndex
  readonly unlisted: readonly Provider[]
}

interface Made {
  readonly snapshot: ModelSnapshot
  readonly ownProviders: readonly Provider[]
  readonly operators: Provided
  readonly own: Provided
  readonly models: TenantModels
}

/** Which models there are: the operator's providers, what a tenant added, and what its own provider keys open. */
export class Catalogue {
  readonly #options: CatalogueOptions
  readonly #lists = new Lru<Listed>(MAX_LISTS)
  readonly #made = new Lru<Made>(MAX_TENANTS)
  // Made once for all tenants.
  #operators: Provided | undefined

  constructor(options: CatalogueOptions) {
    this.#options = options
  }

  async of(tenantId: string, waitUntil: WaitUntil): Promise<TenantModels> {
    const { registry, providers } = this.#options
    const snapshot = await registry.of(tenantId, waitUntil)
    const made = this.#made.get(tenantId)
    const last = made?.snapshot === snapshot ? made : undefined
    const nowMs = this.#options.clock.now()
    if (last && isFresh(last.operators, nowMs) && isFresh(last.own, nowMs)) return last.models
    const operators = await this.#provided(providers, this.#operators, waitUntil)
    this.#operators = operators
    const ownProviders = last?.ownProviders ?? snapshot.providerKeys.map(ownProvider)
    const own = await this.#provided(ownProviders, last?.own, waitUntil)
    const isSame = last && last.operators.models === operators.models && last.own.models === own.models
    const models = isSame ? last.models : join(snapshot, providers, operators, own)
    const bytes = (own.models.length + snapshot.models.length + 1) * MODEL_BYTES
    this.#made.set(tenantId, { snapshot, ownProviders, operators, own, models }, bytes, '')
    return models
  }

  async #provided(
    providers: readonly Provider[],
    last: Provided | undefined,
    waitUntil: WaitUntil,
  ): Promise<Provided> {
    const lists: Listed[] = []
    for (const provider of providers)
      lists.push(this.#known(provider, waitUntil) ?? (await this.#read(provider)))
    if (last && lists.every(({ models }, index) => models === last.lists[index]?.models))
      return { ...last, lists }
    const models = providers.flatMap((provider, index) =>
      (lists[index]?.models ?? []).map((listed) => toModel(provider, listed)),
    )
    const unlisted = providers.filter((_, index) => lists[index]?.models === undefined)
    return { lists, models, byName: indexed(models), unlisted }
  }

  /** What is known of a provider's list, as far as it need not be waited for. */
  #known(provider: Provider, waitUntil: WaitUntil): Listed | undefined {
    const list = this.#lists.get(idOf(provider))
    if (!list) return undefined
    const nowMs = this.#options.clock.now()
    if (nowMs < list.freshUntilMs) return list
    // Nothing to serve from meanwhile, so the request waits.
    if (!list.models || nowMs >= list.freshUntilMs + LIST_MS) return undefined
    waitUntil(this.#read(provider))
    // Whoever comes next need not read it too.
    return this.#hold(provider, { models: list.models, freshUntilMs: nowMs + RETRY_MS })
  }

  async #read(provider: Provider): Promise<Listed> {
    const { clock, list } = this.#options
    try {
      const models = provider.models?.map((id) => ({ id })) ?? (await list(provider))
      const freshForMs = provider.models ? Number.POSITIVE_INFINITY : LIST_MS
      return this.#hold(provider, { models, freshUntilMs: clock.now() + freshForMs })
    } catch {
      // The last good list serves while the provider is silent; its models may still answer.
      const { models } = this.#lists.get(idOf(provider)) ?? {}
      return this.#hold(provider, { models, freshUntilMs: clock.now() + RETRY_MS })
    }
  }

  #hold(provider: Provider, list: Listed): Listed {
    this.#lists.set(idOf(provider), list, ((list.models?.length ?? 0) + 1) * LISTED_BYTES, '')
    return list
  }
}

const isFresh = ({ lists }: Provided, nowMs: number): boolean =>
  lists.every(({ freshUntilMs }) => nowMs < freshUntilMs)

/** A route to a model that nobody has listed. */
export function trustedModel(provider: Provider, model: string): Model {
  return toModel(provider, { id: model })
}

function join(
  snapshot: ModelSnapshot,
  providers: readonly Provider[],
  operators: Provided,
  own: Provided,
): TenantModels {
  const upstreamOf = (name: string | undefined): Route | undefined =>
    (name === undefined ? operators.models[0] : operators.byName.get(name)?.[0])?.route
  const custom = toModels(snapshot, upstreamOf)
  const mine = [...custom, ...own.models]
  const byName = indexed(mine)
  const configured = providers.map(({ name, revision }) => `${name}@${revision}`)
  return {
    models: [...mine, ...operators.models],
    named: (name) => [...(byName.get(name) ?? []), ...(operators.byName.get(name) ?? [])],
    aliases: snapshot.aliases,
    unlisted: [...operators.unlisted, ...own.unlisted],
    isComplete: snapshot.known,
    revision: [...configured, ...snapshot.providerKeys.map(rowOf), ...snapshot.models.map(rowOf)].join(' '),
  }
}

type NameIndex = ReadonlyMap<string, readonly Model[]>

/** By id and by bare name. */
function indexed(models: readonly Model[]): NameIndex {
  const byName = new Map<string, Model[]>()
  for (const model of models) {
    const { id } = model.route
    for (const name of [id, id.slice(id.indexOf(':') + 1)]) {
      const known = byName.get(name)
      if (known) known.push(model)
      else byName.set(name, [model])
    }
  }
  return byName
}

const rowOf = ({ id, revision }: Pick<CustomModel, 'id' | 'revision'>): string => `${id}.${revision}`

function toModel(provider: Provider, { id, contextTokens }: ListedModel): Model {
  const { name, revision, plans, ownerId } = provider
  return {
    route: { id: `${name}:${id}`, revision, provider, model: id },
    kind: 'provider',
    ownerId,
    isPublic: false,
    isActive: true,
    plans,
    capabilities: { contextTokens },
  }
}

function ownProvider({ id, tenantId, provider, baseUrl, format, key, revision }: ProviderKey): Provider {
  const endpoint: Endpoint = {
    id: `own:${id}`,
    baseUrl,
    host: new URL(baseUrl).host,
    credential: { sealed: key, place: { table: 'provider_keys', rowId: id, tenantId } },
    weight: 1,
    isForeign: true,
  }
  return {
    name: provider,
    format,
    endpoints: [endpoint],
    plans: PLANS,
    revision: `${id}.${revision}`,
    ownerId: tenantId,
  }
}

/** A changed key may open other models. */
const idOf = ({ endpoints: [{ id }], revision }: Provider): string => `${id} ${revision}`
