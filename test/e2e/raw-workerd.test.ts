import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundle, capnp, freePort, type Served, serve } from '../../scripts/bench/workerd.ts'
import { keyBytes } from '../../scripts/bench/workload.ts'
import { type SimulatedProvider, startSimulatedProvider } from '../../scripts/simulated-provider.ts'
import { createVirtualKey } from '../../src/tenants/virtual-key.ts'
import { ROOT } from '../support/stores.ts'
import { chat } from '../support/workers.ts'

// The development server stands between caller and worker and hides who hangs up; raw workerd does not.

let dir: string
let provider: SimulatedProvider
let served: Served
const key = createVirtualKey(keyBytes(0))

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'beast-workerd-'))
  provider = await startSimulatedProvider()
  const out = bundle(ROOT, 'scripts/bench/wrangler.toml', join(dir, 'out'))
  const port = await freePort()
  served = await serve(
    capnp(join(dir, 'gateway.capnp'), join(out, 'gateway-entry.js'), port, {
      UPSTREAM: provider.url,
      CACHE_MEMORY_ENTRIES: '1000',
    }),
    port,
    '/healthz',
  )
})
afterAll(async () => {
  await served?.close()
  await provider?.close()
  rmSync(dir, { recursive: true, force: true })
})

const bodyOf = (text: string, stream = true) => ({
  model: 'bench:model',
  stream,
  messages: [{ role: 'user', content: text }],
})
const url = () => `http://127.0.0.1:${served.port}`

/** Sends a request and hangs up as soon as `bytes` of the answer are here, or at once. */
const leaveAfter = (body: object, bytes: number): Promise<void> =>
  new Promise((resolve) => {
    const text = JSON.stringify(body)
    let seen = 0
    const socket = connect(served.port, '127.0.0.1', () => {
      socket.write(
        `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
      )
    })
    socket.on('data', (data) => {
      seen += data.length
      if (seen >= bytes) socket.destroy()
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve())
  })

describe('a caller who leaves', () => {
  it.each([1, 400, 1_500])(
    'a stream after %i bytes ends the call to the provider within a second',
    async (bytes) => {
      const body = bodyOf(`[[sim: rate=20]] ${bytes}`)
      await leaveAfter(body, bytes)
      await expect.poll(() => provider.requests.at(-1)?.aborted, { timeout: 1_000, interval: 20 }).toBe(true)
      const again = await fetch(`${url()}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'cache-control': 'only-if-cached' },
        body: JSON.stringify(body),
      })
      expect(again.status).toBe(504)
      await again.body?.cancel()
    },
  )

  it('does not disturb the next', async () => {
    const answer = await chat(url(), key, bodyOf('next'))
    expect(await answer.text()).toContain('[DONE]')
  })
})

describe('a stream', () => {
  it('reaches its caller event by event, as it comes', async () => {
    const response = await chat(url(), key, bodyOf('[[sim: rate=50]] as it comes'))
    const times: number[] = []
    for await (const _ of response.body as unknown as AsyncIterable<Uint8Array>) times.push(performance.now())
    expect(times.length).toBeGreaterThan(10)
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(200)
  })

  it('that is cut anywhere ends in an error event without [DONE], and is not kept', async () => {
    const whole = await (await chat(url(), key, bodyOf('cut me'))).text()
    const length = Buffer.byteLength(whole)
    expect(whole).toContain('[DONE]')
    for (let at = 1; at < length; at += 97) {
      const body = bodyOf(`[[sim: error=cut at=${at}]] cut me`)
      const response = await chat(url(), key, body)
      const text = await response.text()
      expect(text, `cut at ${at}`).not.toContain('[DONE]')
      const last = text.trimEnd().split('\n\n').at(-1)?.replace('data: ', '') ?? ''
      expect(JSON.parse(last), `cut at ${at}`).toMatchObject({
        error: { code: 'upstream_cut_off', fault: 'provider' },
      })
      const again = await chat(url(), key, bodyOf(`[[sim: error=cut at=${at}]] cut me`), {
        'cache-control': 'only-if-cached',
      })
      expect(again.status).toBe(504)
      await again.body?.cancel()
    }
  })
})
