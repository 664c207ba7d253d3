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
  /** The same by id and by bare name: some providers list hundreds, and each request names one. */
  readonly byName: ReadonlyMap<string, readonly Model[]>
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
const MAX_LISTS = 2_000

interface Listed {
  /** Undefined: it never said. */
  readonly models: readonly ListedModel[] | undefined
  readonly freshUntilMs: number
}

/** What a snapshot came to, with the lists it was made from: as long as those stand, so does it. */
interface Made {
  readonly providers: readonly Provider[]
  lists: readonly Listed[]
  models: TenantModels | undefined
}

/** Which models there are: the operator's providers, what a tenant added, and what its own provider keys open. */
export class Catalogue {
  readonly #options: CatalogueOptions
  readonly #lists = new Lru<Listed>({ maxEntries: MAX_LISTS, maxBytes: MAX_LISTS, ownerShare: 1 })
  // A snapshot is one tenant's, or the empty one.
  readonly #made = new WeakMap<ModelSnapshot, Made>()

  constructor(options: CatalogueOptions) {
    this.#options = options
  }

  async of(tenantId: string, waitUntil: WaitUntil): Promise<TenantModels> {
    const snapshot = await this.#options.registry.of(tenantId, waitUntil)
    const made = this.#madeOf(snapshot)
    const nowMs = this.#options.clock.now()
    if (made.models && made.lists.every(({ freshUntilMs }) => nowMs < freshUntilMs)) return made.models
    const lists: Listed[] = []
    for (const provider of made.providers)
      lists.push(this.#known(provider, waitUntil) ?? (await this.#read(provider)))
    if (!made.models || lists.some(({ models }, index) => models !== made.lists[index]?.models))
      made.models = make(snapshot, made.providers, lists)
    made.lists = lists
    return made.models
  }

  #madeOf(snapshot: ModelSnapshot): Made {
    let made = this.#made.get(snapshot)
    if (!made) {
      const providers = [...this.#options.providers, ...snapshot.providerKeys.map(ownProvider)]
      made = { providers, lists: [], models: undefined }
      this.#made.set(snapshot, made)
    }
    return made
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
    this.#lists.set(idOf(provider), list, 1, '')
    return list
  }
}

/** A route to a model that nobody has listed. */
export function trustedModel(provider: Provider, model: string): Model {
  return toModel(provider, { id: model })
}

function make(
  snapshot: ModelSnapshot,
  providers: readonly Provider[],
  lists: readonly Listed[],
): TenantModels {
  const provided = providers.flatMap((provider, index) =>
    (lists[index]?.models ?? []).map((listed) => toModel(provider, listed)),
  )
  const operators = provided.filter(({ ownerId }) => ownerId === undefined)
  const upstreamOf = (name: string | undefined): Route | undefined =>
    (name === undefined ? operators[0] : operators.find(({ route }) => route.id === name))?.route
  const custom = toModels(snapshot, upstreamOf)
  const models = [...custom, ...provided]
  return {
    models,
    byName: indexed(models),
    aliases: snapshot.aliases,
    unlisted: providers.filter((_, index) => lists[index]?.models === undefined),
    isComplete: snapshot.known,
    revision: [
      ...providers.map(({ name, revision }) => `${name}@${revision}`),
      ...snapshot.models.map(rowOf),
    ].join(' '),
  }
}

function indexed(models: readonly Model[]): ReadonlyMap<string, readonly Model[]> {
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

const rowOf = ({ id, revision }: CustomModel): string => `${id}.${revision}`

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
