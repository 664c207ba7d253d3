import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeMissing } from '../../scripts/deploy/secrets.ts'
import { type SmokeOptions, smokeTest } from '../../scripts/deploy/smoke-test.ts'
import { AdminClient } from '../../scripts/stack/admin-client.ts'
import { type Stack, startStack } from '../support/workers.ts'

const made = makeMissing([], {})
const operatorToken = made.OPERATOR_TOKEN ?? ''

let stack: Stack
beforeAll(async () => {
  stack = await startStack(made)
})
afterAll(() => stack?.close())

const smoke = (more: Partial<SmokeOptions> = {}) =>
  smokeTest({ url: stack.url, operatorToken, hasModels: true, wait: async () => {}, ...more })

describe('the smoke test, on the workers themselves with the secrets that a deployment makes', () => {
  it('passes, asks no provider, and leaves no key that works', async () => {
    const admin = new AdminClient(stack.url, operatorToken)
    // What an interrupted run left.
    await admin.create('deploy-check', 'free', 1)
    const [ready] = await smoke()
    expect(ready).toMatch(/^ready: .*supabase up/)
    const keys = await admin.list('deploy-check')
    expect(keys).toHaveLength(2)
    expect(keys.filter(({ revoked_at }) => revoked_at === null)).toEqual([])
    expect(stack.provider.requests.filter(({ method }) => method === 'POST')).toEqual([])
  })

  it("says so when the operator's token is another", async () => {
    const asked = smoke({ operatorToken: 'x'.repeat(43) })
    await expect(asked).rejects.toThrow(/does not take the operator's token/)
  })

  it('says so where nobody answers, after waiting for it', async () => {
    let waits = 0
    const asked = smoke({ url: 'http://127.0.0.1:9', wait: async () => void waits++ })
    await expect(asked).rejects.toThrow(/healthz does not answer/)
    expect(waits).toBeGreaterThan(10)
  })

  it('needs no model where none is configured', async () => {
    await stack.close()
    stack = await startStack({ ...made, SIMULATED_PROVIDER_URL: '', UPSTREAM_LOOPBACK: '' })
    await expect(smoke()).rejects.toThrow('There is no model of this name.')
    expect(await smoke({ hasModels: false })).toHaveLength(2)
  })
})
