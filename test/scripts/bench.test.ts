import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startKvService } from '../../scripts/bench/kv-service.ts'
import { Running } from '../../scripts/bench/running.ts'
import { freePort, type Served, serve, writeConfig } from '../../scripts/bench/workerd.ts'
import type { Listening } from '../../scripts/stack/http.ts'
import { ROOT } from '../support/stores.ts'

const dir = mkdtempSync(join(tmpdir(), 'beast-bench-test-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** Hands each call on to the genuine binding. */
const CALLER = `export default {
  async fetch(request, { KV }) {
    if (request.method === 'GET') return new Response('ready')
    const { method, args } = await request.json()
    return Response.json((await KV[method](...args)) ?? null)
  },
}`

describe("the benchmark's KV, behind workerd's own binding", () => {
  let service: Listening
  let caller: Served
  let nowMs = 0
  beforeAll(async () => {
    service = await startKvService(() => nowMs)
    const mainFile = join(dir, 'caller.js')
    writeFileSync(mainFile, CALLER)
    const port = await freePort()
    const bindings = ['(name = "KV", kvNamespace = "kv")']
    const external = `(name = "kv", external = (address = "127.0.0.1:${service.port}", http = ()))`
    const config = writeConfig(join(dir, 'kv.capnp'), port, { mainFile, bindings }, {}, [external])
    caller = await serve(config, port, '/')
  })
  afterAll(async () => {
    await caller?.close()
    await service?.close()
  })
  const kv = async (method: 'get' | 'put' | 'delete', ...args: unknown[]): Promise<unknown> => {
    const body = JSON.stringify({ method, args })
    return (await fetch(`http://127.0.0.1:${caller.port}/`, { method: 'POST', body })).json()
  }

  it.each(['cache:aB_-9', 'a/b c?d=e&f#g', '100 %', 'ü€😀'])('keeps, answers and forgets %j', async (key) => {
    expect(await kv('get', key, 'text')).toBeNull()
    await kv('put', key, 'wörter\n', { expirationTtl: 60 })
    expect(await kv('get', key, 'text')).toBe('wörter\n')
    await kv('put', key, '', { expirationTtl: 60 })
    expect(await kv('get', key, 'text')).toBe('')
    await kv('delete', key)
    expect(await kv('get', key, 'text')).toBeNull()
    await kv('delete', key)
  })

  it('forgets when the time is over, not before', async () => {
    await kv('put', 'short', 'x', { expirationTtl: 60 })
    await kv('put', 'long', 'y')
    nowMs += 59_999
    expect(await kv('get', 'short', 'text')).toBe('x')
    nowMs += 1
    expect(await kv('get', 'short', 'text')).toBeNull()
    expect(await kv('get', 'long', 'text')).toBe('y')
  })

  it('refuses what is not its business, and lives on', async () => {
    expect((await fetch(`${service.url}/%E0%A4%A`)).status).toBe(400)
    expect((await fetch(`${service.url}/a`, { method: 'POST', body: 'x' })).status).toBe(405)
    expect((await fetch(`${service.url}/a`)).status).toBe(404)
  })
})

describe('a run of the benchmark', () => {
  it('ends its parts in the opposite order, each once, and starts nothing after that', async () => {
    const ended: string[] = []
    const running = new Running()
    const part = (name: string) => () => ({ close: () => ended.push(name) })
    await running.own(part('a'))
    await running.own(part('b'))
    await expect(running.own(() => Promise.reject(new Error('no port')))).rejects.toThrow('no port')
    await running.own(() => ({ close: () => Promise.reject(new Error('will not')) }))
    await running.own(part('c'))
    await Promise.all([running.close(), running.close()])
    expect(ended).toEqual(['c', 'b', 'a'])
    await expect(running.own(part('late'))).rejects.toThrow('over')
    expect(ended).toHaveLength(3)
  })

  // The second part is still starting when the end comes.
  const program = (work: string) => `
    import { Running, runToTheEnd } from ${JSON.stringify(join(ROOT, 'scripts/bench/running.ts'))}
    const running = new Running()
    const part = (name) => ({ close: () => console.log('ended ' + name) })
    const later = (ms, value) => new Promise((resolve) => setTimeout(resolve, ms, value))
    await runToTheEnd(running, async () => {
      await running.own(() => part('first'))
      void running.own(() => later(100, part('second')))
      console.log('ready')
      ${work}
    })`
  const run = async (work: string, onReady: (kill: (signal: NodeJS.Signals) => void) => void = () => {}) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program(work)])
    let said = ''
    child.stdout.on('data', (data) => {
      said += data
      if (String(data).includes('ready')) onReady((signal) => child.kill(signal))
    })
    const [code] = await once(child, 'close')
    return { code, said: said.trim().split('\n') }
  }
  const ALL_ENDED = ['ready', 'ended second', 'ended first']

  it('that comes to its end ends everything', async () => {
    expect(await run('')).toEqual({ code: 0, said: ALL_ENDED })
  })

  it('that fails ends everything', async () => {
    expect(await run("throw new Error('failed')")).toEqual({ code: 1, said: ALL_ENDED })
  })

  it('of which a part fails by itself ends everything', async () => {
    const work = "setImmediate(() => { throw new Error('on its own') }); await later(60_000)"
    expect(await run(work)).toEqual({ code: 1, said: ALL_ENDED })
  })

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('that is interrupted by %s ends everything', async (signal, code) => {
    expect(await run('await later(60_000)', (kill) => kill(signal))).toEqual({ code, said: ALL_ENDED })
  })
})
