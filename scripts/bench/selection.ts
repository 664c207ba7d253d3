import type { Model } from '../../src/models/model.ts'
import type { Endpoint, Provider } from '../../src/models/provider.ts'
import { readNeeds } from '../../src/selection/needs.ts'
import { select } from '../../src/selection/select.ts'
import type { ModelHealth } from '../../src/selection/strategy.ts'
import { wantedModels } from '../../src/selection/wanted.ts'
import { seededRandom } from '../seeded-random.ts'

const MODELS = 1_000
const ROUNDS = 15
const CALLS = 200

export interface SelectionCost {
  /** One choice among `models`: all standard strategies, prices and latencies known. */
  readonly microseconds: number
  readonly models: number
  /** Reading what a request of 2 kB needs, its task included. */
  readonly needsMicroseconds: number
}

/**
 * The median cost of a choice, warm, on the Node that runs this (the same engine as workerd's, whose clock
 * stands still while it computes and so cannot measure it).
 */
export function selectionCost(): SelectionCost {
  const random = seededRandom(1)
  const models = Array.from({ length: MODELS }, (_, i) => modelAt(i, random))
  const healths = new Map<string, ModelHealth>(
    models.map(({ route }) => [route.id, { available: random() < 0.95, latencyMs: 50 + 500 * random() }]),
  )
  const unknown: ModelHealth = { available: true }
  const request = {
    model: 'auto',
    messages: [
      { role: 'system', content: 'You are a helpful assistant.' },
      {
        role: 'user',
        content: 'Write unit tests for this function.\n```ts\nconst a = (x: number) => x + 1\n```\n'.repeat(
          24,
        ),
      },
    ],
    tools: [{ type: 'function', function: { name: 'look_up', parameters: {} } }],
  }
  const needs = readNeeds(request)
  const choose = () =>
    select(wantedModels('auto', models, 'tenant-1').models, {
      tenantId: 'tenant-1',
      plan: 'paid',
      needs,
      health: ({ route }) => healths.get(route.id) ?? unknown,
      random,
    }).chosen.length
  return {
    microseconds: medianMicroseconds(choose),
    models: MODELS,
    // They are read on demand: here all are demanded.
    needsMicroseconds: medianMicroseconds(() => {
      const { task, inputTokens } = readNeeds(request)
      return task.length + inputTokens
    }),
  }
}

/** A third each: the tenant's own, public ones, a provider's. A tenth cannot call tools. */
export function modelAt(i: number, random: () => number): Model {
  const kind = i % 3 === 2 ? 'provider' : 'custom'
  const endpoint: Endpoint = {
    id: kind,
    baseUrl: 'https://example.com/v1',
    host: 'example.com',
    weight: 1,
    isForeign: false,
  }
  const provider: Provider = {
    name: kind,
    format: 'openai',
    endpoints: [endpoint],
    plans: ['paid'],
    revision: '1',
  }
  return {
    route: { id: `${kind}:model-${i}`, revision: '1', provider, model: `model-${i}` },
    kind,
    ownerId: i % 3 === 0 ? 'tenant-1' : undefined,
    isPublic: i % 3 === 1,
    isActive: true,
    plans: ['paid'],
    capabilities: { contextTokens: 128_000, tools: random() > 0.1, vision: true, json: true },
    price: { inputUsdPerMTok: random() * 10, outputUsdPerMTok: random() * 40 },
    suits: i % 10 === 0 ? ['testing', 'typescript'] : undefined,
  }
}

function medianMicroseconds(call: () => number): number {
  const times: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const started = performance.now()
    for (let i = 0; i < CALLS; i++) if (call() < 1) throw new Error('nothing was chosen')
    times.push(((performance.now() - started) * 1_000) / CALLS)
  }
  return times.toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? Number.NaN
}

if (import.meta.main) console.log(JSON.stringify(selectionCost()))
