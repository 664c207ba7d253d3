import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundle, freePort, type Served, serve, writeConfig } from '../../scripts/bench/workerd.ts'
import { keyBytes } from '../../scripts/bench/workload.ts'
import { type SimulatedProvider, startSimulatedProvider } from '../../scripts/simulated-provider.ts'
import { createVirtualKey } from '../../src/tenants/virtual-key.ts'
import { ROOT } from '../support/stores.ts'
import { chat } from '../support/workers.ts'

// Raw workerd, where a caller's leaving is seen, with the objects on disk, where they outlive it.

let dir: string
let provider: SimulatedProvider
let served: Served
let start: () => Promise<Served>
const key = createVirtualKey(keyBytes(0))

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'beast-idempotency-'))
  mkdirSync(join(dir, 'disk'))
  provider = await startSimulatedProvider()
  const gateway = bundle(ROOT, 'scripts/bench/wrangler.toml', join(dir, 'gateway'))
  const state = bundle(ROOT, 'workers/state/wrangler.toml', join(dir, 'state'))
  start = async () => {
    const port = await freePort()
    const main = {
      mainFile: join(gateway, 'gateway-entry.js'),
      texts: { UPSTREAM: provider.url, CACHE_MEMORY_ENTRIES: '1000' },
      bindings: [
        '(name = "IDEMPOTENCY", durableObjectNamespace = (className = "Idempotency", serviceName = "state"))',
      ],
    }
    const objects = {
      mainFile: join(state, 'index.js'),
      more: [
        'durableObjectNamespaces = [(className = "Idempotency", uniqueKey = "idempotency", enableSql = true)]',
        'durableObjectStorage = (localDisk = "disk")',
      ],
    }
    const disk = `(name = "disk", disk = (path = "${join(dir, 'disk')}", writable = true))`
    return serve(
      writeConfig(join(dir, 'all.capnp'), port, main, { state: objects }, [disk]),
      port,
      '/healthz',
    )
  }
  served = await start()
})
afterAll(async () => {
  await served?.close()
  await provider?.close()
  rmSync(dir, { recursive: true, force: true })
})

const url = () => `http://127.0.0.1:${served.port}`
const bodyOf = (text: string, stream: boolean) => ({
  model: 'bench:model',
  stream,
  messages: [{ role: 'user', content: text }],
})
const headersOf = (name: string) => ({ 'idempotency-key': name, 'cache-control': 'no-store' })
const send = (name: string, body: unknown) => chat(url(), key, body, headersOf(name))
const calls = (text: string) => provider.requests.filter(({ body }) => body.includes(text))

/** Sends a request and hangs up as soon as `bytes` of the answer are here, or once the provider was asked. */
async function leaveAfter(name: string, body: object, bytes: number, text: string): Promise<void> {
  const json = JSON.stringify(body)
  const headers = Object.entries(headersOf(name)).map(([field, value]) => `${field}: ${value}\r\n`)
  const socket = connect(served.port, '127.0.0.1', () => {
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n${headers.join('')}content-length: ${Buffer.byteLength(json)}\r\n\r\n${json}`,
    )
  })
  let seen = 0
  socket.on('data', (data) => {
    seen += data.length
  })
  socket.on('error', () => {})
  await expect
    .poll(() => (bytes > 0 ? seen >= bytes : calls(text).length > 0), { interval: 5, timeout: 5_000 })
    .toBe(true)
  socket.destroy()
}

describe('a caller who leaves', () => {
  it.each([
    ['a stream, in its middle', '[[sim: rate=20]] stream middle', true, 600],
    ['a stream, before its first byte', '[[sim: latency=800]] stream early', true, 0],
    ['a plain request', '[[sim: latency=800]] plain', false, 0],
  ])('%s, finds the whole answer when it comes again', async (name, text, stream, bytes) => {
    const id = name.replaceAll(/\W/g, '-')
    const body = bodyOf(text, stream)
    await leaveAfter(id, body, bytes, text)
    const again = await send(id, body)
    const whole = await again.text()
    expect(again.status).toBe(200)
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    expect(again.headers.get('content-type')).toContain(stream ? 'event-stream' : 'json')
    expect(whole).toContain(stream ? 'data: [DONE]' : '"finish_reason":"stop"')
    expect(calls(text)).toHaveLength(1)
    expect(calls(text)[0]?.aborted).toBe(false)
    expect(await (await send(id, body)).text()).toBe(whole)
  })
})

describe('what is remembered', () => {
  it('outlives the workers', async () => {
    const body = bodyOf('survivor', true)
    const first = await (await send('restart', body)).text()
    await served.close()
    served = await start()
    const again = await send('restart', body)
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    expect(await again.text()).toBe(first)
    const other = await send('restart', bodyOf('another', true))
    expect(other.status).toBe(409)
    await other.body?.cancel()
    expect(calls('survivor')).toHaveLength(1)
  })

  it('lies on disk unreadable: neither key, nor tenant, nor question, nor answer', async () => {
    const answer = await (
      await send('canary-key-4711', bodyOf('[[sim: text=canary-4712]] canary-4713', false))
    ).text()
    expect(answer).toContain('canary-4712')
    const files = readdirSync(join(dir, 'disk'), { recursive: true, withFileTypes: true }).filter((file) =>
      file.isFile(),
    )
    const disk = files.map((file) => readFileSync(join(file.parentPath, file.name), 'latin1')).join('')
    // It is there: what is looked for would be found.
    expect(disk).toContain('fingerprint')
    for (const canary of ['canary-key-4711', 'canary-4712', 'canary-4713', 'tenant-0', 'bench:model'])
      expect(disk, canary).not.toContain(canary)
  })
})
