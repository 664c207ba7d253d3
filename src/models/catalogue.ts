import { type Clock, type WaitUntil, withDeadline } from '../core/clock.ts'
import { Lru } from '../core/lru.ts'
import type { ListedModel } from '../providers/adapter.ts'
import { toModels, upstreamName } from './custom-routes.ts'
import type { Model } from './model.ts'
import type { Provider, Route } from './provider.ts'
import type { CustomModel, ModelAlias } from './registry.ts'
import type { ModelSnapshot } from './registry-cache.ts'
import { modelAt, nameable, type Source, sourcesOf } from './sources.ts'

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
const MAX_LISTS = 2_000
const MAX_BYTES = 8_000_000
const MODEL_BYTES = 50
/** Listed models that one tenant's own keys and endpoints add, in all. */
const MAX_OWN = 3_000

interface Listed {
  /** Undefined: it never said. */
  readonly models: readonly ListedModel[] | undefined
  readonly freshUntilMs: number
}

/** What a snapshot came to, with the lists it was made from: as long as those stand, so does it. */
interface Made {
  readonly sources: readonly Source[]
  lists: readonly Listed[]
  models: TenantModels | undefined
}

/** Which models there are: the operator's providers, what a tenant added, and what its own keys and endpoints open. */
export class Catalogue {
  readonly #options: CatalogueOptions
  readonly #lists = new Lru<Listed>({ maxEntries: MAX_LISTS, maxBytes: MAX_BYTES, ownerShare: 0.25 })
  // A snapshot is one tenant's, or the empty one.
  readonly #made = new WeakMap<ModelSnapshot, Made>()

  constructor(options: CatalogueOptions) {
    this.#options = options
  }

  async of(tenantId: string, waitUntil: WaitUntil): Promise<TenantModels> {
    const snapshot = await this.#options.registry.of(tenantId, waitUntil)
    const made = this.#madeOf(tenantId, snapshot)
    const nowMs = this.#options.clock.now()
    if (made.models && made.lists.every(({ freshUntilMs }) => nowMs < freshUntilMs)) return made.models
    const lists = await Promise.all(
      made.sources.map((source) => this.#known(source, waitUntil) ?? this.#wait(source, waitUntil)),
    )
    if (!made.models || lists.some(({ models }, index) => models !== made.lists[index]?.models))
      made.models = make(
        snapshot,
        made.sources,
        lists.map(({ models }) => models),
      )
    made.lists = lists
    return made.models
  }

  #madeOf(tenantId: string, snapshot: ModelSnapshot): Made {
    let made = this.#made.get(snapshot)
    if (!made) {
      made = {
        sources: sourcesOf(tenantId, this.#options.providers, snapshot),
        lists: [],
        models: undefined,
      }
      this.#made.set(snapshot, made)
    }
    return made
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
    return withDeadline(clock, OWN_LIST_MS, reading).catch(() =>
      this.#hold(source, {
        models: this.#lists.get(idOf(source))?.models,
        freshUntilMs: clock.now() + RETRY_MS,
      }),
    )
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
    const bytes = (list.models ?? []).reduce((sum, { id }) => sum + id.length + MODEL_BYTES, MODEL_BYTES)
    this.#lists.set(idOf(source), list, bytes, source.provider.ownerId ?? '')
    return list
  }
}

function make(
  snapshot: ModelSnapshot,
  sources: readonly Source[],
  lists: readonly (readonly ListedModel[] | undefined)[],
): TenantModels {
  const listed = sources.map((source, index) => modelsOf(source, lists[index] ?? []))
  const operators = listed.flat().filter(({ ownerId }) => ownerId === undefined)
  const own = listed.flat().filter(({ ownerId }) => ownerId !== undefined)
  const upstreamOf = (name: string | undefined): Route | undefined =>
    (name === undefined ? operators[0] : operators.find(({ route }) => route.id === name))?.route
  // What its own server does not know would only fail.
  const endpointsOnly = new Set(
    sources.flatMap(({ row }, index) => {
      const ids = lists[index]?.map(({ id }) => id)
      return row && row.config.model === undefined && ids && !ids.includes(row.modelId) ? [row] : []
    }),
  )
  const custom = toModels(snapshot, upstreamOf, (row) => endpointsOnly.has(row))
  const models = [...custom, ...own.slice(0, MAX_OWN), ...operators]
  return {
    models,
    byName: indexed(models),
    aliases: snapshot.aliases,
    unlisted: sources.filter((_, index) => lists[index] === undefined),
    isComplete: snapshot.known,
    revision: [
      ...sources.map(({ prefix, provider: { revision } }) => `${prefix}@${revision}`),
      ...snapshot.models.map(rowOf),
    ].join(' '),
  }
}

/** Of an endpoint, all but the model that its row is already. */
const modelsOf = (source: Source, list: readonly ListedModel[]): Model[] =>
  list
    .filter(({ id }) => !source.row || id !== upstreamName(source.row))
    .map((listed) => modelAt(source, listed))

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

/** A changed key may open other models. */
const idOf = ({ provider: { endpoints, revision } }: Source): string => `${endpoints[0].id} ${revision}`
