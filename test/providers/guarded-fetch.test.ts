import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { developmentPolicy, guardedFetch, productionPolicy } from '../../src/providers/address-policy.ts'
import type { Fetch } from '../../src/providers/openai.ts'
import { BAD, hostileUrls, ipv4Number, notations, refusalOf } from '../support/addresses.ts'
import { describeWith, hasShared } from '../support/require.ts'

let server: Server
let origin: string
let requests: string[]
/** What the server answers with: a status, and where it leads. */
let answer: { readonly status: number; readonly location?: string }

beforeAll(async () => {
  server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    response.writeHead(answer.status, answer.location ? { location: answer.location } : {}).end('body')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => new Promise((resolve) => server.close(resolve)))
beforeEach(() => {
  requests = []
  answer = { status: 200 }
})

const realFetch: Fetch = (url, init) => fetch(url, init)
const local = () => guardedFetch(realFetch, developmentPolicy({ loopback: [origin] }))

describe('the guarded fetch', () => {
  it('lets through what the policy allows', async () => {
    const response = await local()(`http://${origin}/v1`, { method: 'POST', body: '{}' })
    expect([response.status, await response.text(), requests]).toEqual([200, 'body', ['POST /v1']])
  })

  it('calls the address as it was judged', async () => {
    const called: string[] = []
    const spy: Fetch = async (url) => {
      called.push(url)
      return new Response()
    }
    await guardedFetch(spy, productionPolicy())('https://API.OpenAI.com:443/a/../v1', {})
    expect(called).toEqual(['https://api.openai.com/v1'])
  })

  it('connects to nothing inside, however it is written', async () => {
    const guarded = guardedFetch(realFetch, productionPolicy())
    const port = origin.split(':')[1]
    const names = ['localhost', 'localhost.', 'x.localhost', '0.0.0.0', '[::ffff:127.0.0.1]', 'x.lvh.me']
    const places = [...notations(ipv4Number('127.0.0.1')), ...names].flatMap((host) => [
      `http://${host}:${port}/v1`,
      `https://${host}:${port}/v1`,
    ])
    for (const url of [...places, ...Object.values(BAD).flat()]) {
      await expect(guarded(url, { method: 'POST', body: '{}' })).rejects.toMatchObject({
        code: 'address_refused',
      })
    }
    expect(requests).toEqual([])
    // The server was there to be reached all the while.
    await realFetch(`http://localhost:${port}/control`, {})
    expect(requests).toEqual(['GET /control'])
  })

  it.each([300, 301, 302, 303, 304, 307, 308])('follows no redirect of status %d', async (status) => {
    const inside = `http://${origin}/stolen`
    const targets = [inside, 'http://169.254.169.254/stolen', 'https://api.openai.com/v1', '/stolen', '']
    for (const location of targets) {
      answer = { status, location }
      const call = local()(`http://${origin}/v1?key=hunter2`, { redirect: 'follow' })
      const error = await call.catch((thrown) => thrown)
      expect(error).toMatchObject({ code: 'address_refused', status: 400 })
      expect(`${JSON.stringify(error.toBody('r'))} ${error.stack}`).not.toMatch(/hunter2|stolen|169\.254/)
    }
    expect(requests).toEqual(targets.map(() => 'GET /v1?key=hunter2'))
  })
})

describeWith('hostile-urls.txt', hasShared('hostile-urls.txt'), 'the 51 hostile addresses', () => {
  it('are refused before any connection, in both profiles', async () => {
    let connections = 0
    const counting: Fetch = (url, init) => {
      connections += 1
      return realFetch(url, init)
    }
    expect(hostileUrls().length).toBe(51)
    for (const policy of [productionPolicy(), developmentPolicy({ loopback: [origin] })]) {
      for (const url of hostileUrls()) {
        refusalOf(url, policy)
        const call = guardedFetch(counting, policy)(url, {})
        await expect(call).rejects.toMatchObject({ code: 'address_refused' })
      }
    }
    expect([connections, requests]).toEqual([0, []])
  })

  it('are not reached through a redirect', async () => {
    const headers = hostileUrls().map((url) => encodeURI(url))
    for (const location of headers) {
      answer = { status: 302, location }
      await expect(local()(`http://${origin}/v1`, {})).rejects.toMatchObject({ code: 'address_refused' })
    }
    expect(requests).toEqual(headers.map(() => 'GET /v1'))
  })
})
