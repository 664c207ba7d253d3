import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type LoopbackGateway, startGateway } from '../../scripts/bench/loopback-gateway.ts'
import { startMockUpstream } from '../../scripts/bench/mock-upstream.ts'
import { Running } from '../../scripts/bench/running.ts'
import { startStores } from '../../scripts/bench/stores.ts'
import { bundle } from '../../scripts/bench/workerd.ts'
import { body, KEYS, keyBytes } from '../../scripts/bench/workload.ts'
import { createVirtualKey } from '../../src/tenants/virtual-key.ts'
import { ROOT } from '../support/stores.ts'

// What the benchmark measures over loopback is the bundle that would be uploaded, with all its stores behind it.

const dir = mkdtempSync(join(tmpdir(), 'beast-loopback-test-'))
const running = new Running()
let gateway: LoopbackGateway

beforeAll(async () => {
  const stores = await startStores(ROOT, running)
  const upstream = await running.own(startMockUpstream)
  const options = {
    config: join(dir, 'gateway.capnp'),
    gateway: join(bundle(ROOT, 'wrangler.toml', join(dir, 'gateway')), 'index.js'),
    state: join(bundle(ROOT, 'workers/state/wrangler.toml', join(dir, 'state')), 'index.js'),
    stores,
    texts: { SIMULATED_PROVIDER_URL: `http://127.0.0.1:${upstream.port}/v1`, CACHE_MEMORY_ENTRIES: '1' },
  }
  gateway = await running.own(() => startGateway(options))
})
afterAll(async () => {
  await running.close()
  rmSync(dir, { recursive: true, force: true })
})

/** Sends the load's request of this number. @returns its status and the tier that answered */
async function ask(index: number, key = index): Promise<{ status: number; tier: string | undefined }> {
  const response = await fetch(`http://127.0.0.1:${gateway.port}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${createVirtualKey(keyBytes(key))}` },
    body: body(index),
  })
  await response.arrayBuffer()
  const tier = /beast-(\w+); hit/.exec(response.headers.get('cache-status') ?? '')?.[1]
  return { status: response.status, tier }
}

it('knows the keys of the load, and no other', async () => {
  expect(await ask(1_000, KEYS - 1)).toEqual({ status: 200, tier: undefined })
  expect(await ask(1_000, KEYS)).toMatchObject({ status: 401 })
})

it('answers from Redis, and then from KV, what memory has no room for', async () => {
  expect(await ask(0)).toEqual({ status: 200, tier: undefined })
  expect(await ask(0)).toEqual({ status: 200, tier: 'memory' })
  const inTurn = async () => {
    expect((await ask(1)).status).toBe(200)
    return (await ask(0)).tier
  }
  // Writes follow the answer, so what comes next is waited for.
  await expect.poll(inTurn, { timeout: 5_000 }).toBe('redis')
  await expect.poll(inTurn, { timeout: 5_000 }).toBe('kv')
  const { kv } = await gateway.tiers()
  expect(kv?.hit).toBeGreaterThan(0)
})
