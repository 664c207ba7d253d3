import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { check, type Finding, type HistoryEvent, type Stored, type StoredRow } from './checker.ts'

const BOUNDS = { windowMs: 1_000, lostAtOnce: 2 }

const invoke = (op: string, more: object = {}): HistoryEvent =>
  ({ type: 'invoke', op, kind: 'prediction', tenant: 'acme', atMs: 10_000, ...more }) as HistoryEvent
const ok = (op: string, more: object = {}): HistoryEvent => ({
  type: 'ok',
  op,
  atMs: 10_100,
  id: `id-${op}`,
  durable: true,
  ...more,
})
const row = (op: string, more: Partial<StoredRow> = {}): StoredRow => ({
  id: `id-${op}`,
  op,
  tenant: 'acme',
  ...more,
})
const nothing: Stored = { predictions: [], feedback: [], buried: [] }

const asked = [invoke('a'), ok('a')]
const rated = [...asked, invoke('f', { kind: 'feedback', about: 'id-a' }), ok('f')]
const there: Stored = { ...nothing, predictions: [row('a')] }
const joined: Stored = { ...there, feedback: [row('f', { about: 'id-a', matched: true })] }
const hit = [invoke('h'), ok('h', { durable: false })]
const killAt = (atMs: number): HistoryEvent => ({ type: 'kill', atMs })
const ended = (op: string, type: 'fail' | 'info'): HistoryEvent => ({ type, op, atMs: 10_100 })

describe('the checker of histories passes', () => {
  it.each<[string, HistoryEvent[], Stored]>([
    ['nothing at all', [], nothing],
    ['what was acknowledged, and is stored', rated, joined],
    ['what is not certain, and is stored', [invoke('a'), ended('a', 'info')], there],
    ['what is not certain, and is not stored', [invoke('a'), ended('a', 'info')], nothing],
    ['what surely did not happen, and is not stored', [invoke('a'), ended('a', 'fail')], nothing],
    ['a hit that died with its isolate', [...hit, killAt(11_000)], nothing],
    ['a hit answered while its isolate was killed', [...hit, killAt(10_050)], nothing],
    [
      'as many at each of two kills in one moment',
      [
        ...['1', '2'].flatMap((op) => [invoke(op), ok(op, { durable: false })]),
        killAt(10_100),
        ...['3', '4'].flatMap((op) => [invoke(op), ok(op, { durable: false })]),
        killAt(10_100),
      ],
      nothing,
    ],
    [
      'feedback for such a hit',
      [...hit, killAt(10_500), invoke('f', { kind: 'feedback', about: 'id-h' }), ok('f')],
      { ...nothing, feedback: [row('f', { about: 'id-h' })] },
    ],
    [
      'poison among the dead letters',
      [invoke('p', { poison: true }), ok('p')],
      { ...nothing, buried: [row('p')] },
    ],
  ])('%s', (_, history, stored) => {
    expect(check(history, stored, BOUNDS).findings).toEqual([])
  })

  it('and counts what was lost within the bounds', () => {
    const history = [...rated, ...hit, killAt(10_500)]
    expect(check(history, joined, BOUNDS)).toEqual({
      findings: [],
      lostWithinBounds: 1,
      counts: { ok: 3, fail: 0, info: 0 },
    })
  })
})

describe('the checker of histories finds', () => {
  it.each<[Finding['rule'], string, string, HistoryEvent[], Stored]>([
    ['lost', 'what was acknowledged and is not stored', 'a', asked, nothing],
    ['lost', 'feedback that was acknowledged and is not stored', 'f', rated, there],
    [
      'lost',
      'what is stored under another id',
      'a',
      asked,
      { ...nothing, predictions: [row('a', { id: 'b' })] },
    ],
    ['lost', 'what is durable, also at a kill', 'a', [...asked, killAt(10_200)], nothing],
    ['lost', 'a hit without a kill', 'h', hit, nothing],
    ['lost', 'a hit that had time to be sent', 'h', [...hit, killAt(11_100)], nothing],
    ['lost', 'a hit that began after the kill', 'h', [killAt(9_999), ...hit], nothing],
    ['lost', 'poison that nobody buried', 'p', [invoke('p', { poison: true }), ok('p')], nothing],
    ['duplicate', 'what is stored twice', 'a', asked, { ...nothing, predictions: [row('a'), row('a')] }],
    [
      'duplicate',
      'a second row under another id',
      'a',
      asked,
      { ...nothing, predictions: [row('a'), row('a', { id: 'b' })] },
    ],
    ['duplicate', 'what is stored and buried', 'a', asked, { ...there, buried: [row('a')] }],
    ['phantom', 'what nobody asked for', 'x', asked, { ...nothing, predictions: [row('a'), row('x')] }],
    ['phantom', 'what surely did not happen', 'a', [invoke('a'), ended('a', 'fail')], there],
    ['phantom', 'a prediction among feedback', 'a', asked, { ...nothing, feedback: [row('a')] }],
    ['phantom', 'poison in its table', 'a', [invoke('a', { poison: true }), ok('a')], there],
    [
      'foreign',
      "a row with another tenant's name",
      'a',
      asked,
      { ...nothing, predictions: [row('a', { tenant: 'evil' })] },
    ],
    ['dangling', 'feedback for what is not there', 'f', rated, { ...joined, predictions: [] }],
    [
      'dangling',
      'feedback that was not joined',
      'f',
      rated,
      { ...there, feedback: [row('f', { about: 'id-a' })] },
    ],
    [
      'dangling',
      'feedback for another prediction',
      'f',
      rated,
      { ...there, feedback: [row('f', { about: 'id-b' })] },
    ],
    ['buried', 'a sound row among the dead letters', 'a', asked, { ...nothing, buried: [row('a')] }],
  ])('%s: %s', (rule, _, op, history, stored) => {
    const { findings } = check(history, stored, BOUNDS)
    expect(findings).toContainEqual(expect.objectContaining({ rule, op }))
  })

  it('lost: more hits than one kill may cost', () => {
    const hits = ['1', '2', '3'].flatMap((op) => [invoke(op), ok(op, { durable: false })])
    const { findings, lostWithinBounds } = check([...hits, killAt(10_500)], nothing, BOUNDS)
    expect(findings.map(({ rule }) => rule)).toEqual(['lost'])
    expect(lostWithinBounds).toBe(2)
  })
})

describe('the checker of histories refuses', () => {
  it.each<[string, HistoryEvent[]]>([
    ['an end without a beginning', [ok('a')]],
    ['two beginnings', [invoke('a'), invoke('a'), ok('a')]],
    ['two ends', [invoke('a'), ok('a'), ok('a')]],
    ['a beginning without an end', [invoke('a')]],
  ])('%s', (_, history) => {
    expect(() => check(history, nothing, BOUNDS)).toThrow(RangeError)
  })
})

describe('the checker of any history', () => {
  const ops = fc.uniqueArray(fc.nat({ max: 999 }).map(String), { minLength: 1, maxLength: 30 })
  const history = ops.chain((names) =>
    fc
      .tuple(...names.map(() => fc.constantFrom('ok', 'fail', 'info', 'info, stored')))
      .map((fates) => names.map((op, i) => ({ op, fate: fates[i] ?? 'ok' }))),
  )
  const eventsOf = (fates: readonly { op: string; fate: string }[]): HistoryEvent[] =>
    fates.flatMap(({ op, fate }) => [
      invoke(op),
      fate === 'ok' ? ok(op) : ended(op, fate === 'fail' ? 'fail' : 'info'),
    ])
  const rowsOf = (fates: readonly { op: string; fate: string }[]): StoredRow[] =>
    fates.filter(({ fate }) => fate === 'ok' || fate === 'info, stored').map(({ op }) => row(op))

  it('passes it when all went well, and finds any one row that is taken away, doubled or made up', () => {
    fc.assert(
      fc.property(history, fc.nat(), (fates, pick) => {
        const events = eventsOf(fates)
        const rows = rowsOf(fates)
        const rules = (predictions: readonly StoredRow[]) =>
          check(events, { ...nothing, predictions }, BOUNDS).findings.map(({ rule, op }) => `${rule} ${op}`)
        expect(rules(rows)).toEqual([])
        expect(rules([...rows, row('made up')])).toEqual(['phantom made up'])
        const one = rows[pick % Math.max(1, rows.length)]
        if (!one) return
        expect(rules([...rows, one])).toEqual([`duplicate ${one.op}`])
        const wasAcknowledged = fates.some(({ op, fate }) => op === one.op && fate === 'ok')
        expect(rules(rows.filter((each) => each !== one))).toEqual(wasAcknowledged ? [`lost ${one.op}`] : [])
      }),
    )
  })
})
