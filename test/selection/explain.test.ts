import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Model } from '../../src/models/model.ts'
import { MAX_HEADER_BYTES, routeHeader, routeRecord } from '../../src/selection/explain.ts'
import { noModel } from '../../src/selection/no-model.ts'
import { select } from '../../src/selection/select.ts'
import { context, ids, model, NEEDS } from './models.ts'

const theirs = model('custom:their-secret-project', { ownerId: 'them' })
const needs = { ...NEEDS, tools: true }
const decide = (models: readonly Model[]) => select(models, context({ needs, random: () => 0 }))

describe('x-beast-route', () => {
  it('says who answers and why, who else could, and who could not', () => {
    const decision = decide([
      model('openai:blind', { capabilities: { tools: false } }),
      model('openai:m', { price: { inputUsdPerMTok: 1, outputUsdPerMTok: 1 } }),
      model('custom:fast'),
    ])
    expect(routeHeader(decision, needs)).toBe(
      'custom:fast;by=own_custom;task=chat, openai:m;by=provider_on_plan, openai:blind;out=no_tools',
    )
    expect(routeHeader(decision, needs, decision.chosen[1])).toMatch(
      /^openai:m;by=provider_on_plan;task=chat, custom/,
    )
  })

  it('tells nothing of others, in header, record and error', () => {
    for (const rest of [[], [model('custom:mine')]]) {
      const decision = decide([theirs, ...rest])
      const without = decide(rest)
      expect(routeHeader(decision, needs)).toBe(routeHeader(without, needs))
      expect(routeRecord(decision, needs)).toEqual(routeRecord(without, needs))
      expect(noModel(decision, 'auto', needs).message).toBe(noModel(without, 'auto', needs).message)
    }
  })

  it('stays within 1 kB of plain header text, whole members only, whatever models are called', () => {
    const id = fc.string({ unit: 'binary', maxLength: 300 }).map((name) => `custom:${name}`)
    fc.assert(
      fc.property(fc.array(id, { maxLength: 40 }), (names) => {
        const header = routeHeader(decide(names.map((name) => model(name))), needs)
        expect(header.length).toBeLessThanOrEqual(MAX_HEADER_BYTES)
        expect(header).toMatch(/^[\x20-\x7e]*$/)
        new Headers({ 'x-beast-route': header })
        const members = header === '' ? [] : header.split(', ')
        for (const said of members)
          expect(said).toMatch(/^custom:[\w:./%-]*~?;by=own_custom(\+faster)?(;task=chat)?$/)
        expect(members.length > 0).toBe(names.length > 0)
      }),
    )
  })

  it('never shows an endpoint or what is sent to it', () => {
    const decision = decide([model('openai:m'), model('custom:m', { isActive: false }), theirs])
    const shown = routeHeader(decision, needs) + JSON.stringify(routeRecord(decision, needs))
    expect(shown).not.toMatch(/endpoint|secret|https|Bearer|them/)
  })
})

describe('the record of a decision', () => {
  it('lists candidates with scores and reasons, in order, and bounded', () => {
    const many = Array.from({ length: 100 }, (_, i) => model(`openai:m${i}`, { isActive: i < 3 }))
    const decision = decide(many)
    const record = routeRecord(decision, needs)
    expect(record.candidates.length).toBe(32)
    expect(record.candidates.slice(0, 3).map(({ id }) => id)).toEqual(ids(decision.chosen))
    expect(record.candidates[0]).toEqual({
      id: 'openai:m0',
      rank: 3,
      score: 0.002,
      reasons: ['provider_on_plan', 'faster'],
      excluded: null,
    })
    expect(record.candidates[3]?.excluded).toBe('inactive')
    expect(JSON.parse(JSON.stringify(record))).toEqual(record)
  })
})

describe('an error for want of a model', () => {
  const told = (models: readonly Model[], name = 'auto', plan: 'free' | 'paid' = 'free') =>
    noModel(select(models, context({ needs, plan })), name, needs)

  it('says what to do, with the name that was asked for', () => {
    const free = told([model('openai:m')], 'openai:m')
    expect([free.code, free.fault, free.param]).toEqual(['plan_required', 'caller', 'model'])
    expect(free.message).toContain('"openai:m"')
    expect(free.tip).toMatch(/key of your own.*paid plan/)
    expect(told([]).tip).toContain('/api/models/custom')
    expect(told([], 'x').message).toBe('There is no model of this name.')
  })

  it('of length tells how much there is room for', () => {
    const short = [100, 900].map((contextTokens, i) =>
      model(`custom:${i}`, { capabilities: { contextTokens } }),
    )
    expect(told(short).message).toContain('may need 1500 tokens, and there is room for 900')
  })

  it('tells what ends by itself before what must be paid for', () => {
    const decision = select(
      [model('openai:m'), model('custom:m')],
      context({ plan: 'free', health: () => ({ available: false }) }),
    )
    expect(noModel(decision, 'auto', NEEDS)).toMatchObject({
      code: 'model_unavailable',
      retryAfterSeconds: 5,
    })
  })
})
