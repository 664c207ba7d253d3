import type { Model } from '../models/model.ts'
import { NOT_YOURS, standing } from './standing.ts'

/** What a request's `model` means. */
export interface Wanted {
  readonly name: string
  /** Whether one model was named, as opposed to `auto`. */
  readonly named: boolean
  readonly models: readonly Model[]
}

export const AUTO = 'auto'

/**
 * The models that a name stands for: `auto` for all, `custom:{id}` or `{provider}:{name}` for exactly that one, a
 * bare name for whatever carries it: the tenant's own custom model, else a public one, else a provider's.
 * Models of the same name at several providers, or on the tenant's own key beside the operator's, all count.
 * Another tenant's private model is not found, as if it were not there.
 */
export function wantedModels(name: string, models: readonly Model[], tenantId: string): Wanted {
  if (name === AUTO) return { name, named: false, models }
  const exact = models.filter(({ route }) => route.id === name)
  const found = closest(exact, tenantId)
  if (found.length > 0) return { name, named: true, models: found }
  return {
    name,
    named: true,
    models: closest(
      models.filter((model) => bears(model, name)),
      tenantId,
    ),
  }
}

/** The name after the provider's: ids are `{provider}:{name}`, and names may hold colons of their own. */
const bears = ({ route: { id } }: Model, name: string): boolean =>
  id.length > name.length && id.endsWith(name) && id.indexOf(':') === id.length - name.length - 1

function closest(models: readonly Model[], tenantId: string): readonly Model[] {
  if (models.length === 0) return models
  const own: Model[] = []
  const published: Model[] = []
  const provided: Model[] = []
  for (const model of models) {
    // The plan changes nothing here: a name outside it is found, and then refused with the reason.
    if (standing(model, tenantId, 'free') === NOT_YOURS) continue
    if (model.kind !== 'custom') provided.push(model)
    else if (model.ownerId === tenantId) own.push(model)
    else published.push(model)
  }
  return [own, published, provided].find((group) => group.length > 0) ?? []
}
