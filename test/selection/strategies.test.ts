import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../scripts/seeded-random.ts'
import type { Model } from '../../src/models/model.ts'
import { capable } from '../../src/selection/context.ts'
import { cheaper, estimatedCostUsd } from '../../src/selection/cost.ts'
import { fitting } from '../../src/selection/fit.ts'
import { faster } from '../../src/selection/latency.ts'
import { better } from '../../src/selection/quality.ts'
import { MAX_CHOSEN, select } from '../../src/selection/select.ts'
import type { ModelHealth } from '../../src/selection/strategy.ts'
import { wantedModels } from '../../src/selection/wanted.ts'
import { context, HEALTHY, ids, model, NEEDS } from './models.ts'

const priced = (id: string, input: number, output = input, differs: Partial<Model> = {}) =>
  model(id, { price: { inputUsdPerMTok: input, outputUsdPerMTok: output }, ...differs })

describe('names', () => {
  const named = (name: string, models: readonly Model[]) =>
    wantedModels(name, models, 'me').models.map(({ route }) => route.id)

  it('prefer the own custom model, then a public one, then a provider', () => {
    const own = model('custom:m')
    const open = model('custom:m', { ownerId: undefined, isPublic: true })
    const provided = model('openai:m')
    const meant = (models: readonly Model[]) => wantedModels('m', models, 'me').models
    expect(meant([provided, open, own])).toEqual([own])
    expect(meant([provided, open])).toEqual([open])
    expect(meant([provided])).toEqual([provided])
  })

  it('mean exactly one model where they say which, and colons in a name are its own', () => {
    const models = [model('openai:m'), model('custom:m'), model('ollama:llama3:8b')]
    expect(named('openai:m', models)).toEqual(['openai:m'])
    expect(named('llama3:8b', models)).toEqual(['ollama:llama3:8b'])
    for (const none of ['8b', 'ollama:llama3', 'ollama:', ':m', 'custom:', 'M', '', 'other:m'])
      expect(named(none, models), none).toEqual([])
  })

  it('do not find what is private to another, and are not blocked by it', () => {
    const theirs = model('custom:openai:m', { ownerId: 'them' })
    expect(named('custom:openai:m', [theirs])).toEqual([])
    expect(named('openai:m', [theirs, model('openai:m')])).toEqual(['openai:m'])
    const own = model('custom:custom:m')
    expect(wantedModels('custom:m', [model('custom:m', { ownerId: 'them' }), own], 'me').models).toEqual([
      own,
    ])
  })

  it('keep "auto" for all of them', () => {
    const models = [model('custom:auto'), model('openai:m')]
    expect(named('auto', models)).toEqual(['custom:auto', 'openai:m'])
    expect(named('custom:auto', models)).toEqual(['custom:auto'])
  })
})

describe('what a model can', () => {
  const can = (capabilities: Model['capabilities'], needs = {}) =>
    select([model('custom:m', { capabilities })], context({ needs: { ...NEEDS, ...needs } }), [capable])
      .considered[0]?.excluded

  it('leaves it out only where it is known not to', () => {
    expect(can({}, { tools: true, vision: true, json: true, inputTokens: 1e7 })).toBeUndefined()
    expect(can({ tools: false })).toBeUndefined()
    expect(can({ tools: false }, { tools: true })).toBe('no_tools')
  })

  it('counts the answer in: up to the last token, and one where the caller names no maximum', () => {
    const size = { inputTokens: 1_000, outputTokens: 500 }
    expect([can({ contextTokens: 1_500 }, size), can({ contextTokens: 1_499 }, size)]).toEqual([
      undefined,
      'context_too_short',
    ])
    expect(can({ contextTokens: 1_000 }, { ...size, outputTokens: 0 })).toBe('context_too_short')
  })
})

describe('cost', () => {
  it('puts the cheaper first within a rank, never across ranks, and the unknown last', () => {
    const models = [
      priced('openai:dear', 10),
      model('openai:unknown'),
      priced('openai:cheap', 0.1),
      priced('openai:mid', 1),
      priced('custom:mine', 1_000),
    ]
    const { chosen } = select(models, context(), [cheaper])
    expect(ids(chosen)).toEqual([
      'custom:mine',
      'openai:cheap',
      'openai:mid',
      'openai:dear',
      'openai:unknown',
    ])
    expect(chosen.map(({ reasons }) => reasons.includes('cheaper'))).toEqual([
      false,
      true,
      false,
      false,
      false,
    ])
  })

  it('reckons with this request: long questions and long answers have different cheapest models', () => {
    const models = [priced('openai:in', 1, 10), priced('openai:out', 3, 4)]
    const first = (needs: object) =>
      ids(select(models, context({ needs: { ...NEEDS, ...needs } }), [cheaper]).chosen)[0]
    expect(first({ inputTokens: 10_000, outputTokens: 100 })).toBe('openai:in')
    expect(first({ inputTokens: 100, outputTokens: 4_000 })).toBe('openai:out')
  })

  it('takes free for free, and no price that makes no sense', () => {
    const models = [priced('openai:b', 0.5), priced('openai:free', 0), priced('openai:a', 0.1)]
    expect(ids(select(models, context(), [cheaper]).chosen)).toEqual(['openai:free', 'openai:a', 'openai:b'])
    for (const bad of [Number.NaN, -1, Number.POSITIVE_INFINITY])
      expect(estimatedCostUsd({ inputUsdPerMTok: bad, outputUsdPerMTok: 1 }, NEEDS)).toBeNaN()
  })
})

describe('latency', () => {
  const twins = Array.from({ length: 10 }, (_, i) => model(`openai:m${i}`))

  it('puts the faster of the two that are drawn first, and never the slowest of all', () => {
    const random = seededRandom(7)
    const health = ({ route }: Model): ModelHealth => ({
      available: true,
      latencyMs: 100 + 100 * Number(route.id.at(-1)),
    })
    const firsts = Array.from({ length: 2_000 }, () =>
      Number(ids(select(twins, context({ health, random }), [faster]).chosen)[0]?.at(-1)),
    )
    const shares = twins.map((_, i) => firsts.filter((first) => first === i).length / firsts.length)
    // Of ten, the i-th fastest wins against (9 - i) of the 45 pairs.
    for (const [i, share] of shares.entries()) expect(share).toBeCloseTo((9 - i) / 45, 1)
    expect(shares[9]).toBe(0)
  })

  it('lets no herd form: many choices on the same old news spread over the models', () => {
    const random = seededRandom(11)
    // Averages that nobody has renewed yet, as it is between two reports; one looks far better than the rest.
    const health = ({ route }: Model): ModelHealth => ({
      available: true,
      latencyMs: route.id === 'openai:m3' ? 10 : 500,
    })
    const counts = new Map<string, number>()
    for (let i = 0; i < 1_000; i++) {
      const first = ids(select(twins, context({ health, random }), [faster]).chosen)[0] ?? ''
      counts.set(first, (counts.get(first) ?? 0) + 1)
    }
    expect(counts.size).toBe(10)
    expect(counts.get('openai:m3')).toBeLessThan(300)
  })

  it('counts failures as time, and gives models that nobody knows a fair share', () => {
    const [a, b] = [model('openai:a'), model('openai:b')]
    const flaky = (one: Model): ModelHealth =>
      one === a
        ? { available: true, latencyMs: 100, successShare: 0.2 }
        : { available: true, latencyMs: 200, successShare: 1 }
    const random = seededRandom(3)
    expect(ids(select([a, b], context({ health: flaky, random }), [faster]).chosen)[0]).toBe('openai:b')
    const half = (one: Model): ModelHealth => (one === a ? { available: true, latencyMs: 1 } : HEALTHY)
    const firsts = Array.from(
      { length: 400 },
      () => ids(select([a, b], context({ health: half, random }), [faster]).chosen)[0],
    )
    expect(firsts.filter((first) => first === 'openai:b').length / 400).toBeCloseTo(0.5, 1)
  })

  it('decides between equals only: a cheaper model stays first, however slow', () => {
    const models = [priced('openai:dear', 10), priced('openai:cheap', 1)]
    const health = ({ route }: Model): ModelHealth => ({
      available: true,
      latencyMs: route.id === 'openai:dear' ? 1 : 9_999,
    })
    for (const draw of [0, 0.5, 0.99])
      expect(ids(select(models, context({ health, random: () => draw })).chosen)[0]).toBe('openai:cheap')
  })
})

describe('task and quality', () => {
  it('prefer what suits the task or the language of the code', () => {
    const models = [
      priced('openai:cheap', 0.1),
      priced('openai:tester', 5, 5, { suits: ['testing', 'rust'] }),
    ]
    const first = (needs: object) => ids(select(models, context({ needs: { ...NEEDS, ...needs } })).chosen)[0]
    expect(first({ task: 'testing' })).toBe('openai:tester')
    expect(first({ task: 'chat' })).toBe('openai:cheap')
    expect(first({ codeShare: 0.8, codeLanguage: 'rust' })).toBe('openai:tester')
    expect(first({ codeShare: 0.1, codeLanguage: 'rust' })).toBe('openai:cheap')
    expect(
      select(models, context({ needs: { ...NEEDS, task: 'testing' } }), [fitting]).chosen[0]?.reasons,
    ).toContain('fits_task')
  })

  it('prefer what is predicted to answer well, and say nothing where nothing is predicted', () => {
    const models = ['a', 'b', 'c'].map((name) => model(`openai:${name}`))
    const good: Record<string, number> = { 'openai:b': 0.9, 'openai:c': Number.NaN }
    const { chosen } = select(models, context(), [better(({ route }) => good[route.id])])
    expect(ids(chosen)).toEqual(['openai:b', 'openai:a', 'openai:c'])
    expect(chosen.map(({ reasons }) => reasons.includes('predicted_quality'))).toEqual([true, false, false])
  })
})

describe('the choice', () => {
  it('is bounded, and fills up from the next rank where the first has too few', () => {
    const many = Array.from({ length: 100 }, (_, i) => priced(`openai:m${i}`, 100 - i))
    const { chosen, considered } = select([...many, model('custom:a'), model('custom:b')], context())
    expect([chosen.length, considered.length]).toEqual([MAX_CHOSEN, 102])
    expect(ids(chosen).slice(0, 2).toSorted()).toEqual(['custom:a', 'custom:b'])
    expect(ids(chosen)[2]).toBe('openai:m99')
  })

  it('of nothing is nothing', () => {
    expect(select([], context())).toEqual({ chosen: [], considered: [] })
  })
})
