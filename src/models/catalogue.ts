import { type Clock, type WaitUntil, withDeadline } from '../core/clock.ts'
import { Lru } from '../core/lru.ts'
import type { ListedModel } from '../providers/adapter.ts'
import { toModels, upstreamName } from './custom-routes.ts'
import type { Model } from './model.ts'
import type { Provider, Route } from './provider.ts'
import type { CustomModel, ModelAlias } from './registry.ts'
import type { ModelSnapshot } from './registry-cache.ts'
import { modelAt, nameable, ownSources, provided, type Source } from './sources.ts'

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
  /** Those whose list could not be read so far: what is named at one of them is taken on trust. */
  readonly unlisted: readonly Source[]
  /** False while the tenant's own models could not be read: what is not here may still exist. */
  readonly isComplete: boolean
  /** Changes when somebody changes the configuration; the same in every isolate, whatever lists it has read. */
  readonly revision: string
}

/** How long a provider's own list is believed; for as long again it serves while it is read anew. */
const LIST_MS = 60_000
/** How long a provider that did not answer is left alone. */
const RETRY_MS = 5_000
/** How long a request waits for the list of a tenant's own server that has said nothing so far. */
const OWN_LIST_MS = 1_000
/** Listed models that one tenant's own keys and endpoints add, in all. */
const MAX_OWN = 3_000
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

/** Models of some sources, with the lists that they were made from: as long as those stand, so do they. */
interface Provided {
  readonly lists: readonly Listed[]
  readonly models: readonly Model[]
  readonly byName: NameIndex
  readonly unlisted: readonly Source[]
}

interface Made {
  readonly snapshot: ModelSnapshot
  readonly sources: readonly Source[]
  readonly operators: Provided
  readonly own: Provided
  readonly models: TenantModels
}

/** Which models there are: the operator's providers, what a tenant added, and what its own keys and endpoints open. */
export class Catalogue {
  readonly #options: CatalogueOptions
  readonly #lists = new Lru<Listed>(MAX_LISTS)
  readonly #made = new Lru<Made>(MAX_TENANTS)
  readonly #sources: readonly Source[]
  // Made once for all tenants.
  #operators: Provided | undefined
  readonly #publicIds = new Set<string>()

  constructor(options: CatalogueOptions) {
    this.#options = options
    this.#sources = options.providers.map(provided)
  }

  async of(tenantId: string, waitUntil: WaitUntil): Promise<TenantModels> {
    const snapshot = await this.#options.registry.of(tenantId, waitUntil)
    const made = this.#made.get(tenantId)
    const last = made?.snapshot === snapshot ? made : undefined
    const nowMs = this.#options.clock.now()
    if (last && isFresh(last.operators, nowMs) && isFresh(last.own, nowMs)) return last.models
    const sources = last?.sources ?? ownSources(tenantId, snapshot)
    const [operators, own] = await Promise.all([
      this.#provided(this.#sources, this.#operators, waitUntil),
      this.#provided(sources, last?.own, waitUntil),
    ])
    this.#operators = operators
    for (const { isActive, isPublic, modelId } of snapshot.models)
      if (isActive && isPublic) this.#publicIds.add(`custom:${modelId}`)
    const isSame = last && last.operators.models === operators.models && last.own.models === own.models
    const models = isSame ? last.models : join(snapshot, this.#sources, operators, sources, own)
    const bytes = (own.models.length + snapshot.models.length + 1) * MODEL_BYTES
    this.#made.set(tenantId, { snapshot, sources, operators, own, models }, bytes, '')
    return models
  }

  /** Whether every tenant sees a model of this id, as far as is known here: one that the operator offers, or made public. */
  isShared(routeId: string): boolean {
    if (this.#publicIds.has(routeId)) return true
    return this.#operators?.byName.get(routeId)?.some(({ route }) => route.id === routeId) === true
  }

  async #provided(
    sources: readonly Source[],
    last: Provided | undefined,
    waitUntil: WaitUntil,
  ): Promise<Provided> {
    const lists = await Promise.all(
      sources.map((source) => this.#known(source, waitUntil) ?? this.#wait(source, waitUntil)),
    )
    if (last && lists.every(({ models }, index) => models === last.lists[index]?.models))
      return { ...last, lists }
    const all = sources.flatMap((source, index) => modelsOf(source, lists[index]?.models ?? []))
    const models = all.filter(({ ownerId }, index) => ownerId === undefined || index < MAX_OWN)
    const unlisted = sources.filter((_, index) => lists[index]?.models === undefined)
    return { lists, models, byName: indexed(models), unlisted }
  }

  /** What is known of a list, as far as it need not be waited for. */
  #known(source: Source, waitUntil: WaitUntil): Listed | undefined {
    const list = this.#lists.get(idOf(source))
    if (!list) return undefined
    const nowMs = this.#options.clock.now()
    if (nowMs < list.freshUntilMs) return list
    // Nothing to serve from meanwhile, so the request waits; not again and again for what a tenant alone relies on.
    const isOwn = source.provider.ownerId !== undefined
    if (list.models ? nowMs >= list.freshUntilMs + LIST_MS : !isOwn) return undefined
    waitUntil(this.#read(source))
    // Whoever comes next need not read it too.
    return this.#hold(source, { models: list.models, freshUntilMs: nowMs + RETRY_MS })
  }

  /** A tenant's own server does not hold up its requests for long; what it says late is there for the next ones. */
  #wait(source: Source, waitUntil: WaitUntil): Promise<Listed> {
    const { clock } = this.#options
    const reading = this.#read(source)
    if (source.provider.ownerId === undefined) return reading
    waitUntil(reading)
    return withDeadline(clock, OWN_LIST_MS, reading).catch(() => {
      const { models } = this.#lists.get(idOf(source)) ?? {}
      return this.#hold(source, { models, freshUntilMs: clock.now() + RETRY_MS })
    })
  }

  async #read(source: Source): Promise<Listed> {
    const { clock, list } = this.#options
    const { provider } = source
    try {
      const models = provider.models?.map((id) => ({ id })) ?? nameable(source, await list(provider))
      const freshForMs = provider.models ? Number.POSITIVE_INFINITY : LIST_MS
      return this.#hold(source, { models, freshUntilMs: clock.now() + freshForMs })
    } catch {
      // The last good list serves while the provider is silent; its models may still answer.
      const { models } = this.#lists.get(idOf(source)) ?? {}
      return this.#hold(source, { models, freshUntilMs: clock.now() + RETRY_MS })
    }
  }

  #hold(source: Source, list: Listed): Listed {
    this.#lists.set(idOf(source), list, ((list.models?.length ?? 0) + 1) * LISTED_BYTES, '')
    return list
  }
}

const isFresh = ({ lists }: Provided, nowMs: number): boolean =>
  lists.every(({ freshUntilMs }) => nowMs < freshUntilMs)

function join(
  snapshot: ModelSnapshot,
  configured: readonly Source[],
  operators: Provided,
  sources: readonly Source[],
  own: Provided,
): TenantModels {
  const upstreamOf = (name: string | undefined): Route | undefined =>
    (name === undefined ? operators.models[0] : operators.byName.get(name)?.[0])?.route
  const endpointsOnly = new Set(
    sources.flatMap(({ row }, index) => (isEndpointOnly(row, own.lists[index]) ? [row] : [])),
  )
  const custom = toModels(snapshot, upstreamOf, (row) => endpointsOnly.has(row))
  const mine = [...custom, ...own.models]
  const byName = indexed(mine)
  const providers = configured.map(({ provider: { name, revision } }) => `${name}@${revision}`)
  return {
    models: [...mine, ...operators.models],
    named: (name) => [...(byName.get(name) ?? []), ...(operators.byName.get(name) ?? [])],
    aliases: snapshot.aliases,
    unlisted: [...operators.unlisted, ...own.unlisted],
    isComplete: snapshot.known,
    revision: [...providers, ...snapshot.providerKeys.map(rowOf), ...snapshot.models.map(rowOf)].join(' '),
  }
}

/** What a source lists; of an endpoint, all but the model that its row is already. */
const modelsOf = (source: Source, list: readonly ListedModel[]): Model[] =>
  list
    .filter(({ id }) => !source.row || id !== upstreamName(source.row))
    .map((listed) => modelAt(source, listed))

/** As a model, what its own server does not know would only fail. */
const isEndpointOnly = (row: CustomModel | undefined, list: Listed | undefined): row is CustomModel =>
  row !== undefined &&
  row.config.model === undefined &&
  list?.models?.some(({ id }) => id === row.modelId) === false

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

/** A changed key may open other models. */
const idOf = ({ provider: { endpoints, revision } }: Source): string => `${endpoints[0].id} ${revision}`
