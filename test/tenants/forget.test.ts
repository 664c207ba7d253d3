import { expect, it } from 'vitest'
import { Vault } from '../../src/core/vault.ts'
import { Authenticator } from '../../src/tenants/authenticator.ts'
import { KvKeyRecords } from '../../src/tenants/kv-records.ts'
import { createVirtualKey, KeyDigest } from '../../src/tenants/virtual-key.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { KvDouble } from '../support/kv-double.ts'
import { ROOT_KEY, tenant } from '../support/slots.ts'

it('what is remembered of a tenant that changed is not believed, in memory or in KV, store up or down', async () => {
  const clock = fakeClock()
  const digest = new KeyDigest('p'.repeat(32))
  const keys = { acme: createVirtualKey(), other: createVirtualKey() }
  const names = new Map([
    [await digest.of(keys.acme), 'acme'],
    [await digest.of(keys.other), 'other'],
  ])
  const state = { epoch: 1, lookups: 0, down: false }
  const find = async (of: string) => {
    state.lookups += 1
    if (state.down) throw new Error('down')
    const name = names.get(of)
    return name ? { keyId: name, expiresAtMs: null, tenant: tenant(name, { epoch: state.epoch }) } : undefined
  }
  const store = new KvKeyRecords(new KvDouble(clock.now).at(), new Vault(ROOT_KEY))
  const authenticator = new Authenticator({ clock, digest, directory: { find }, store })
  const epochOf = async (key: string) => {
    const background: Promise<unknown>[] = []
    const caller = await authenticator.authenticate(key, '1.2.3.4', (work) => background.push(work))
    await Promise.all(background)
    return caller.tenant.epoch
  }
  expect([await epochOf(keys.acme), await epochOf(keys.other)]).toEqual([1, 1])
  await clock.advance(1_000)
  state.epoch = 2
  authenticator.forget('acme')
  state.down = true
  await expect(epochOf(keys.acme)).rejects.toMatchObject({ code: 'store_unavailable' })
  expect(await epochOf(keys.other)).toBe(1)
  state.down = false
  await clock.advance(10_000)
  expect([await epochOf(keys.acme), await epochOf(keys.other)]).toEqual([2, 1])
  const asked = state.lookups
  await epochOf(keys.acme)
  expect(state.lookups).toBe(asked)
  names.clear()
  await clock.advance(1_000)
  authenticator.forget('acme')
  await expect(epochOf(keys.acme)).rejects.toMatchObject({ code: 'invalid_api_key' })
})
