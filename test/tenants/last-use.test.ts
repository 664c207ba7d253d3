import { expect, it } from 'vitest'
import { Vault } from '../../src/core/vault.ts'
import { Authenticator } from '../../src/tenants/authenticator.ts'
import { KvKeyRecords } from '../../src/tenants/kv-records.ts'
import { requireScope, SCOPES, scopesOf } from '../../src/tenants/scopes.ts'
import { createVirtualKey, KeyDigest } from '../../src/tenants/virtual-key.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { KvDouble } from '../support/kv-double.ts'
import { ROOT_KEY, tenant } from '../support/slots.ts'

const HOUR_MS = 3_600_000

it('a key is noted as used at most once an hour, behind the answer, and a failure to note it hurts nobody', async () => {
  const clock = fakeClock()
  const digest = new KeyDigest('p'.repeat(32))
  const [key, expired] = [createVirtualKey(), createVirtualKey()]
  const callers = new Map([
    [await digest.of(key), { keyId: 'good', expiresAtMs: null, tenant: tenant('t') }],
    [await digest.of(expired), { keyId: 'expired', expiresAtMs: clock.now(), tenant: tenant('t') }],
  ])
  const noted: [string, number][] = []
  const authenticator = new Authenticator({
    clock,
    digest,
    directory: { find: async (of) => callers.get(of) },
    store: new KvKeyRecords(new KvDouble(clock.now).at(), new Vault(ROOT_KEY)),
    noteUse: async (keyId, atMs) => {
      noted.push([keyId, atMs])
      throw new Error('down')
    },
  })
  const background: Promise<unknown>[] = []
  const use = (which: string) => authenticator.authenticate(which, '1.2.3.4', (work) => background.push(work))
  const startMs = clock.now()
  for (let i = 0; i < 100; i++) await use(key)
  for (const wrong of [expired, createVirtualKey()]) await expect(use(wrong)).rejects.toThrow()
  expect(noted).toEqual([['good', startMs]])
  await clock.advance(HOUR_MS - 1)
  await use(key)
  expect(noted).toHaveLength(1)
  await clock.advance(1)
  await use(key)
  expect(noted).toEqual([
    ['good', startMs],
    ['good', startMs + HOUR_MS],
  ])
  await Promise.all(background)
})

it('scopes: all of them take no room in a record, and what is no scope opens nothing', () => {
  expect([scopesOf(undefined), scopesOf(null), scopesOf([...SCOPES].reverse())]).toEqual([
    undefined,
    undefined,
    undefined,
  ])
  expect(scopesOf(['costs', 'admin', 'inference'])).toEqual(['inference', 'costs'])
  expect(scopesOf([])).toEqual([])
  for (const scope of SCOPES) {
    requireScope(undefined, scope)
    expect(() => requireScope(scopesOf([]), scope)).toThrow(`"${scope}"`)
    for (const held of SCOPES.filter((each) => each !== scope))
      expect(() => requireScope([held], scope)).toThrow(`no scope "${scope}"`)
  }
})
