import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../src/core/errors.ts'
import { uuidv7 } from '../../src/core/ids.ts'
import { Vault } from '../../src/core/vault.ts'
import { FeedbackTokens } from '../../src/feedback/token.ts'
import { readTokenRequest } from '../../src/feedback/token-request.ts'
import { FAKE_START_MS as NOW } from '../support/fake-clock.ts'

const tokensOf = (seed: number) => new FeedbackTokens(new Vault(new Uint8Array(32).fill(seed)))
const tokens = tokensOf(7)
const TENANT = '0a000000-0000-4000-8000-00000000000a'
const predictionId = uuidv7(NOW)
const expiresAtS = NOW / 1_000 + 60

const refused = async (token: string, nowMs = NOW) => {
  const error = await tokens.open(token, nowMs).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  return error instanceof GatewayError ? [error.status, error.code] : error
}
const UNAUTHORIZED = [401, 'invalid_api_key']

describe('a feedback token', () => {
  it('opens to what it was made for, until its time', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uuid(),
        fc.nat({ max: 1e6 }),
        fc.integer({ min: 1, max: 1e6 }),
        async (tenant, age, life) => {
          const prediction = uuidv7(NOW - age)
          const token = await tokens.mint(tenant, prediction, NOW / 1_000 + life)
          expect(token).toMatch(/^fbt_[\w-]+\.[\w-]{43}$/)
          const grant = {
            tenantId: tenant,
            predictionId: prediction,
            source: 'user',
            expiresAtS: NOW / 1_000 + life,
          }
          expect(await tokens.open(token, NOW + life * 1_000 - 1)).toEqual(grant)
          expect(await refused(token, NOW + life * 1_000)).toEqual(UNAUTHORIZED)
        },
      ),
      { numRuns: 30 },
    )
  })

  it('does not open with any one character changed, taken away or added', async () => {
    const token = await tokens.mint(TENANT, predictionId, expiresAtS)
    for (let at = 0; at < token.length; at++) {
      const other = token[at] === 'A' ? 'B' : 'A'
      for (const put of [other, '', `${token[at]}A`])
        expect(await refused(token.slice(0, at) + put + token.slice(at + 1)), `${at} ${put}`).toEqual(
          UNAUTHORIZED,
        )
    }
  })

  it('does not open under another root, nor with its parts from two', async () => {
    const [mine, next] = await Promise.all([
      tokens.mint(TENANT, predictionId, expiresAtS),
      tokens.mint(TENANT, uuidv7(NOW - 1), expiresAtS),
    ])
    const foreign = await tokensOf(8).mint(TENANT, predictionId, expiresAtS)
    const mixed = `${mine.split('.')[0]}.${next.split('.')[1]}`
    for (const token of [
      foreign,
      mixed,
      'fbt_',
      'fbt_.',
      'fbt_..',
      '',
      mine.slice(4),
      `${mine}.`,
      `fbt_${'A'.repeat(1e5)}.x`,
    ])
      expect(await refused(token)).toEqual(UNAUTHORIZED)
  })
})

describe('the wish for one', () => {
  it('is for a day unless it says otherwise, and for 30 at most', () => {
    const read = (more: object) =>
      readTokenRequest({ prediction_id: predictionId.toUpperCase(), ...more }, NOW)
    expect(read({})).toEqual({ predictionId, expiresAtS: NOW / 1_000 + 86_400 })
    expect(read({ expires_in_s: 2_592_000 }).expiresAtS).toBe(NOW / 1_000 + 2_592_000)
    for (const wrong of [
      { expires_in_s: 2_592_001 },
      { expires_in_s: 0 },
      { expires_in_s: -1 },
      { expires_in_s: 1.5 },
      { expires_in_s: '60' },
      { source: 'bot' },
      { prediction_id: 'x' },
      { prediction_id: uuidv7(NOW + 600_000) },
    ])
      expect(() => read(wrong)).toThrow(expect.objectContaining({ code: 'invalid_feedback' }))
  })
})
