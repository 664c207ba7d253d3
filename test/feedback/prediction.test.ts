import { expect, it } from 'vitest'
import { callsOf } from '../../src/feedback/prediction.ts'
import { facts } from '../support/telemetry.ts'

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
