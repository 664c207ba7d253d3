import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../src/core/errors.ts'
import { readRequestId, readRequestQuery } from '../../src/feedback/request-search.ts'

const ID = '01890000-0000-7000-8000-0000000000aa'

const faultOf = (read: () => unknown): [string | undefined, string] | undefined => {
  try {
    read()
  } catch (error) {
    if (error instanceof GatewayError) return [error.param, error.tip]
    throw error
  }
}

describe('what requests are searched by', () => {
  it('is read whole', () => {
    const query = readRequestQuery({
      from: '2026-11-21',
      to: '2026-11-21T08:30:00+01:00',
      model: 'ollama:llama3:8b',
      outcome: 'error',
      cache: 'miss',
      task: 'code_generation',
      min_cost: '0.05',
      limit: '100',
      cursor: ID.toUpperCase(),
    })
    expect(query).toEqual({
      fromMs: Date.UTC(2026, 10, 21),
      toMs: Date.UTC(2026, 10, 21, 7, 30),
      model: 'ollama:llama3:8b',
      outcome: 'error',
      cache: 'miss',
      task: 'code_generation',
      minCostUsd: 0.05,
      limit: 100,
      cursor: ID,
    })
    expect(readRequestQuery({})).toMatchObject({ limit: 20, fromMs: undefined, cursor: undefined })
  })

  it.each([
    ['from', ['yesterday', '', '2026-13-01', "2026-11-21'; drop table tenants", '2026-11-21 08:00']],
    ['to', ['0', '9999999999999']],
    ['model', ['', 'a"b', 'a\\b', 'a\0b', 'm'.repeat(201)]],
    ['outcome', ['failed', 'SUCCESS', '']],
    ['cache', ['warm', 'hit,miss']],
    ['task', ['a b', 'x'.repeat(65), '']],
    ['min_cost', ['-1', 'NaN', '1e3', '1000001', '0.1.2', '']],
    ['limit', ['0', '101', '-5', '1.5', '05', '']],
    ['cursor', ['', 'x', ID.replace('-7', '-4'), `${ID},id.gt.0`]],
    ['tags', ['x']],
    ['constructor', ['x']],
  ])('names "%s" where it is not valid, and says what is', (param, values) => {
    for (const value of values) {
      const fault = faultOf(() => readRequestQuery({ [param]: value }))
      expect(fault, value).toEqual([param, expect.stringMatching(/^(Use|Send|Leave out) /)])
    }
  })

  it('needs a time to lie before its end', () => {
    for (const to of ['2026-11-20', '2026-11-21'])
      expect(faultOf(() => readRequestQuery({ from: '2026-11-21', to }))?.[0]).toBe('from')
  })

  it('takes no other id than one of ours', () => {
    expect(readRequestId(ID.toUpperCase())).toBe(ID)
    for (const id of ['', 'x', `${ID}x`, ID.replace('-7', '-4'), `eq.${ID}`])
      expect(faultOf(() => readRequestId(id))?.[0], id).toBe('id')
  })
})
