import { describe, expect, it } from 'vitest'
import { remarksOn, requestsAddress, spanAt, stopsOf } from '../../src/dashboard/drill-down.ts'
import {
  attemptRows,
  candidateRows,
  factsOf,
  listCells,
  ratingRows,
} from '../../src/dashboard/request-words.ts'
import { readRequestQuery } from '../../src/feedback/request-search.ts'
import { STORY, SUMMARY } from './requests.ts'

describe('the time that a point is of', () => {
  it.each([
    ['a minute that is over ends there', [540, 600, 660], 1, 540, 600],
    ['what came since lies in the minute that runs', [600, 660, 700.5], 2, 660, 720],
    ['a point of its own, seconds apart', [612, 617, 622], 1, 600, 660],
    ['an only point', [600], 0, 540, 600],
    ['two hours where points lie as far apart, from any hour on', [3_600, 10_800, 18_000], 2, 10_800, 18_000],
  ])('%s', (_, times, at, fromS, toS) => {
    expect(spanAt(times, at)).toEqual({ fromS, toS })
  })

  it('is none where there is no point', () => {
    expect(spanAt([], 0)).toBeUndefined()
    expect(spanAt([60], -1)).toBeUndefined()
  })

  it('is stopped at once, however many points it has', () => {
    expect(stopsOf([60, 120, 120.5, 121, 180, 180.5])).toEqual([0, 1, 4, 5])
    expect(stopsOf([])).toEqual([])
  })
})

describe('what the page asks for', () => {
  const span = { fromS: 1_800_000_000, toS: 1_800_000_060 }
  const asked = (filter: object, more = {}) => {
    const [path, query] = requestsAddress({ span, filter, ...more }).split('?')
    return [path, Object.fromEntries(new URLSearchParams(query))] as const
  }

  it('is understood by the gateway', () => {
    const cursor = '01890000-0000-7000-8000-0000000000aa'
    const [path, { tenant, ...query }] = asked(
      { model: 'llama3:8b & co', tenant: 'acme' },
      { outcome: 'error', cursor },
    )
    expect([path, tenant]).toEqual(['/monitoring/requests', 'acme'])
    expect(readRequestQuery(query)).toMatchObject({
      fromMs: span.fromS * 1_000,
      toMs: span.toS * 1_000,
      model: 'llama3:8b & co',
      outcome: 'error',
      cursor,
    })
  })

  it('leaves out what requests are not recorded with, and says so', () => {
    const filter = { mode: '2', model: 'other', tenant: 'none' }
    expect(Object.keys(asked(filter)[1])).toEqual(['from', 'to', 'limit'])
    for (const label of Object.keys(filter))
      expect(remarksOn(filter).join()).toContain(`These are of every ${label}`)
    expect(remarksOn({})).toEqual([])
    expect(remarksOn({ model: 'gpt-4o' }).join()).toContain('that nothing answered')
  })
})

describe('a request in words', () => {
  it('has a cell for each column', () => {
    expect(listCells(SUMMARY)).toEqual(['openai:gpt-4o', 'success', 'miss', '813 ms', '$0.0027', SUMMARY.id])
    const failed = { ...SUMMARY, model: null, outcome: 'error', error_code: 'upstream_failed' } as const
    expect(listCells(failed).slice(0, 2)).toEqual(['auto', 'error (upstream_failed)'])
    expect(listCells({ ...SUMMARY, cache: 'hit', cache_tier: 'kv' })[2]).toBe('hit (kv)')
  })

  it('tells what is known, and of what is not that it is not', () => {
    const facts = Object.fromEntries(factsOf(STORY, (iso) => iso))
    expect(facts).toMatchObject({ 'Answered by': 'openai:gpt-4o', Tokens: '100 in, 20 out', Saved: '$0' })
    const bare = { ...STORY, model: null, upstream_ms: null, input_tokens: null, task: null, key_id: null }
    expect(Object.fromEntries(factsOf(bare, (iso) => iso))).toMatchObject({
      'Answered by': 'nothing',
      'Of that, models': '–',
      Tokens: '– in, 20 out',
      Task: 'not known',
    })
    const abandoned = { ...STORY.ledger, settled_as: 'abandoned', unpriced: true } as typeof STORY.ledger
    const { Cost } = Object.fromEntries(factsOf({ ...STORY, ledger: abandoned }, (iso) => iso))
    expect(Cost).toBe('$0.0027, a part of it unpriced, never settled')
  })

  it('says why each candidate was in or out, and bears a choice of another make', () => {
    expect(candidateRows(STORY.decision)).toEqual([
      ['openai:gpt-4o', '3', '0.9', 'named, provider_on_plan'],
      ['custom:mine', '1', '0.2', 'out: unhealthy'],
    ])
    for (const decision of [null, undefined, 7, {}, { candidates: 'x' }, { candidates: [null, 3] }])
      expect(candidateRows(decision)).toEqual([])
    expect(candidateRows({ candidates: [{ id: 1, reasons: 'x' }] })).toEqual([['1', '', '', '']])
  })

  it('tells each call and each rating', () => {
    expect(attemptRows(STORY)).toEqual([
      ['1', 'custom:mine at mine#2', 'failed (timeout)', '500 ms', '– in, – out', 'unpriced'],
      ['2', 'openai:gpt-4o at openai', 'answered', '300 ms', '100 in, 20 out', '$0.0027'],
    ])
    expect(ratingRows(STORY, () => 'now')).toEqual([
      ['bot', 'outcome 0', 'tests/passed', 'now'],
      ['user', 'thumbs down, 2 of 5', '', 'now'],
    ])
  })
})
