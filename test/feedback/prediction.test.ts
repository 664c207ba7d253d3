import { expect, it } from 'vitest'
import { callsOf } from '../../src/feedback/prediction.ts'
import { tablesOf } from '../../src/feedback/table-rows.ts'
import { NO_PRICES } from '../support/budgets.ts'
import { facts, paidRecord, rowOf } from '../support/telemetry.ts'

const attempt = {
  routeId: 'simulated:sim-small',
  provider: 'simulated',
  model: 'sim-small',
  price: undefined,
  endpointId: 'simulated',
  startedAtMs: 0,
  ms: 1,
  firstByteMs: 1,
  result: 'answered',
  failure: undefined,
  mayBeBilled: true,
  usage: undefined,
} as const

it('what was said counts in bytes: a token of Japanese is one or two of its characters, and not four', () => {
  const said = '傘をお持ちください。'
  const [first, second] = callsOf({
    ...facts(1, { attempts: [{ ...attempt, firstByteMs: undefined }, attempt] }),
    said,
  })
  expect([first?.saidBytes, second?.saidBytes]).toEqual([0, 30])
})

it('tags go to prediction and ledger alike; a row of before there were any has none', () => {
  const { tags: _, ...before } = rowOf(1)
  const tagged = rowOf(2, { tags: { team: 'search' } })
  const call = { route: 'openai:m', provider: 'openai', model: 'm', endpoint: 'openai' }
  const tables = tablesOf(
    [before, tagged].map((row) => paidRecord(row, [call])),
    NO_PRICES,
  )
  const tagsIn = (name: string) =>
    tables.find(({ table }) => table === name)?.rows.map((row) => (row as { tags?: object }).tags)
  expect(tagsIn('ledger')).toEqual([{}, { team: 'search' }])
  expect(tagsIn('ml_predictions')).toEqual([{}, { team: 'search' }])
})
