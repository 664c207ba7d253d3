import type { CacheRoute } from '../cache/slot.ts'
import type { WaitUntil } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import type { Catalogue, TenantModels } from '../models/catalogue.ts'
import type { HealthBook } from '../models/health.ts'
import type { Model } from '../models/model.ts'
import type { Target } from '../models/provider.ts'
import type { ModelAlias } from '../models/registry.ts'
import { modelAt } from '../models/sources.ts'
import { type RouteRecord, routeHeader, routeRecord } from '../selection/explain.ts'
import { readNeeds } from '../selection/needs.ts'
import { noModel } from '../selection/no-model.ts'
import { type Decision, ONE, STANDARD, select } from '../selection/select.ts'
import type { SelectionContext } from '../selection/strategy.ts'
import { leavesItToUs, withTaskDefaults } from '../selection/task-defaults.ts'
import { AUTO, wantedModels } from '../selection/wanted.ts'
import type { SwitchedOff } from '../switches/switch.ts'
import type { Tenant } from '../tenants/tenant.ts'
import { targetsOf } from './balance.ts'
import type { ChatRequest } from './chat-request.ts'

export interface PlanServices {
  readonly clock: { now(): number }
  readonly catalogue: Catalogue
  readonly health: HealthBook
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** What an operator turned off. */
  readonly switches: { readonly off: Pick<SwitchedOff, 'isModelOff'> }
}

/** What a request asks for by its `model`, before anything is chosen: enough to know its cached answer by. */
export interface Wish {
  readonly name: string
  /** What the answer is cached under: the name that was asked for, not the model that happens to serve it. */
  readonly requested: CacheRoute
  /** Each in turn until one can serve it; nearly always a single set. */
  readonly sets: readonly WishedSet[]
}

interface WishedSet {
  readonly name: string
  readonly named: boolean
  readonly models: readonly Model[]
}

/** What was decided. */
export interface Plan {
  /** Best first, at least one. */
  readonly targets: readonly Target[]
  /** With the task's defaults where the caller left the choice to us. */
  readonly request: ChatRequest
  /** Whether its answer may be kept as the answer to what was asked: a fallback's may not. */
  standsFor(target: Target): boolean
  /** The value of `x-beast-route`, when the target at `index` answered. */
  routeHeader(index: number): string
  /** For the record of the prediction. */
  readonly record: () => RouteRecord
}

/**
 * What a name stands for.
 * @throws GatewayError `model_not_found`, or `store_unavailable` where what the name means could not be read
 */
export async function wish(
  { catalogue, random }: PlanServices,
  tenant: Tenant,
  name: string,
  waitUntil: WaitUntil,
): Promise<Wish> {
  const known = await catalogue.of(tenant.id, waitUntil)
  const alias = known.aliases.find((each) => each.name === name)
  const sets = alias
    ? ordered(alias, random).map((target) => setOf(target, known, tenant))
    : [setOf(name, known, tenant)]
  if (sets.every(({ models }) => models.length === 0)) throw notFound(name, known)
  return { name, requested: requestedOf(name, alias, sets, known), sets }
}

/** @throws GatewayError when none of them can serve it: why, and what to do */
export function choose(services: PlanServices, tenant: Tenant, wish: Wish, request: ChatRequest): Plan {
  const { health, clock, random } = services
  const needs = readNeeds(request)
  const nowMs = clock.now()
  const decide = (isUp: (target: Target) => boolean): Decision[] => {
    const context: SelectionContext = {
      tenantId: tenant.id,
      plan: tenant.plan,
      needs,
      random,
      isOff: services.switches.off.isModelOff,
      health: ({ route }) => {
        const targets = targetsOf(route)
        return {
          available: targets.some(isUp),
          latencyMs: health.latencyMs(targets),
          successShare: health.successShare(targets),
        }
      },
    }
    return wish.sets.map(({ models, named }) =>
      select(models, context, models.length === 1 ? ONE : STANDARD, named),
    )
  }
  let decisions = decide((target) => health.available(target, nowMs))
  // Where nothing is well, an attempt is worth more than an error, unless the provider asked to be left alone.
  if (decisions.every(({ chosen }) => chosen.length === 0))
    decisions = decide((target) => !health.isClosed(target, nowMs))
  const chosen = decisions.flatMap((decision) =>
    decision.chosen.map((candidate) => ({ decision, candidate })),
  )
  if (chosen.length === 0) {
    const targets = wish.sets.flatMap(({ models }) => models.flatMap(({ route }) => targetsOf(route)))
    throw noModel(merged(decisions), wish.name, needs, health.opensInMs(targets, nowMs))
  }
  const targets = eachOnce(chosen.flatMap(({ candidate }) => targetsOf(candidate.model.route, random)))
  const [first] = wish.sets
  return {
    targets,
    standsFor: ({ route }) =>
      first?.named
        ? first.models.some((model) => model.route === route)
        : route === targets[0]?.route && !decisions.some(missesBetter),
    request: leavesItToUs(request.model) ? withTaskDefaults(request, needs.task) : request,
    routeHeader: (index) => {
      const answered = chosen.find(({ candidate }) => candidate.model.route === targets[index]?.route)
      return routeHeader(merged(decisions), needs, answered?.candidate)
    },
    record: () => routeRecord(merged(decisions), needs),
  }
}

/** Whether a better one is left out only because it fails, or is turned off, at the moment. Models of one rank are as good as one another. */
function missesBetter({ chosen: [best], considered }: Decision): boolean {
  return considered.some(({ excluded, rank }) => {
    const mayComeBack = excluded === 'unhealthy' || excluded === 'switched_off'
    return mayComeBack && best && rank < best.rank
  })
}

/** An alias may lead to one model twice; where that failed, it may have charged already. */
function eachOnce(targets: readonly Target[]): readonly Target[] {
  if (targets.length === 1) return targets
  const known = new Set<string>()
  return targets.filter(({ marks }) => known.size < known.add(marks.model).size)
}

function setOf(name: string, known: TenantModels, tenant: Tenant): WishedSet {
  const models = name === AUTO ? known.models : known.named(name)
  const wanted = wantedModels(name, models, tenant.id)
  if (wanted.models.length > 0 || name === AUTO) return wanted
  // Whoever has not said yet what it has may well have this one.
  const source = known.unlisted.find(({ prefix }) => name.startsWith(prefix))
  return source ? { ...wanted, models: [modelAt(source, { id: name.slice(source.prefix.length) })] } : wanted
}

function requestedOf(
  name: string,
  alias: ModelAlias | undefined,
  sets: readonly WishedSet[],
  known: TenantModels,
): CacheRoute {
  const [first] = sets
  const [model] = first?.models ?? []
  if (!alias && first?.named && first.models.length === 1 && model) return model.route
  const revision = alias ? `${alias.id}.${alias.revision} ${known.revision}` : known.revision
  return { id: alias ? `alias:${name}` : name, revision }
}

/** By weight at random, or as listed. */
function ordered({ kind, targets }: ModelAlias, random: () => number): readonly string[] {
  if (kind === 'fallback') return targets.map(({ model }) => model)
  const lots = targets.map(({ model, weight }) => ({
    model,
    lot: weight > 0 ? random() ** (1 / weight) : -1,
  }))
  return lots.sort((a, b) => b.lot - a.lot).map(({ model }) => model)
}

const merged = (decisions: readonly Decision[]): Decision =>
  decisions.length === 1 && decisions[0]
    ? decisions[0]
    : {
        chosen: decisions.flatMap(({ chosen }) => chosen),
        considered: decisions.flatMap(({ considered }) => considered),
      }

function notFound(name: string, known: TenantModels): GatewayError {
  // By a bare name none but a provider can have it.
  if (!known.isComplete || known.unlisted.some(({ kind }) => kind === 'provider')) {
    return new GatewayError(
      'store_unavailable',
      `Whether there is a model "${name.slice(0, 100)}" could not be looked up just now.`,
      'Try again after the time given in Retry-After, or name a model of a provider as {provider}:{model}.',
      { param: 'model', retryAfterSeconds: 5 },
    )
  }
  return new GatewayError(
    'model_not_found',
    'There is no model of this name.',
    'Call GET /v1/models for the names you may use.',
    { param: 'model' },
  )
}
