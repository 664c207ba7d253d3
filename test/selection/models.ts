import type { Model } from '../../src/models/model.ts'
import type { Needs } from '../../src/selection/needs.ts'
import type { ModelHealth, SelectionContext } from '../../src/selection/strategy.ts'

/** A custom model of tenant `me`, switched on, of which nothing more is known. */
export function model(id: string, differs: Partial<Model> = {}): Model {
  const [name = '', ...rest] = id.split(':')
  return {
    route: {
      id,
      revision: '1',
      provider: {
        name,
        format: 'openai',
        endpoints: [
          {
            id: name,
            baseUrl: 'https://endpoint-of.test/v1',
            host: 'endpoint-of.test',
            credential: 'secret-of-the-endpoint',
            weight: 1,
            isForeign: false,
          },
        ],
        plans: ['paid'],
        revision: '1',
      },
      model: rest.join(':'),
    },
    kind: name === 'custom' ? 'custom' : 'provider',
    ownerId: name === 'custom' ? 'me' : undefined,
    isPublic: false,
    isActive: true,
    plans: ['paid'],
    capabilities: {},
    ...differs,
  }
}

export const NEEDS: Needs = {
  task: 'chat',
  inputTokens: 1_000,
  outputTokens: 500,
  tools: false,
  vision: false,
  json: false,
  codeShare: 0,
}

export const HEALTHY: ModelHealth = { available: true }

export function context(differs: Partial<SelectionContext> = {}): SelectionContext {
  return { tenantId: 'me', plan: 'paid', needs: NEEDS, health: () => HEALTHY, random: () => 0.5, ...differs }
}

export const ids = (candidates: readonly { readonly model: Model }[]): string[] =>
  candidates.map(({ model: { route } }) => route.id)
