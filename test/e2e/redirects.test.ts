import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type LoopbackGateway, startGateway } from '../../scripts/bench/loopback-gateway.ts'
import { Running } from '../../scripts/bench/running.ts'
import { startStores } from '../../scripts/bench/stores.ts'
import { bundle } from '../../scripts/bench/workerd.ts'
import { AdminClient } from '../../scripts/stack/admin-client.ts'
import { type Answer, type Api, answerOf, apiAt, codeOf, MODELS } from '../support/api.ts'
import { type ProviderServer, startProviderServer } from '../support/provider-server.ts'
import { chatBody } from '../support/slots.ts'
import { ROOT } from '../support/stores.ts'
import { chat, kek } from '../support/workers.ts'

// Over raw workerd: wrangler's test harness sends what a worker fetches through Node, which follows redirects.

const dir = mkdtempSync(join(tmpdir(), 'beast-redirects-'))
const running = new Running()
let gateway: LoopbackGateway
let api: Api
let acme: string
/** Where tenants' models may lie. */
let allowed: ProviderServer
/** Where redirects lead: allowed or not, it must not be asked. */
let elsewhere: ProviderServer

beforeAll(async () => {
  ;[allowed, elsewhere] = await Promise.all([startProviderServer(), startProviderServer()])
  const stores = await startStores(ROOT, running)
  const bundled = (config: string, name: string) => join(bundle(ROOT, config, join(dir, name)), 'index.js')
  gateway = await running.own(() =>
    startGateway({
      config: join(dir, 'gateway.capnp'),
      gateway: bundled('wrangler.toml', 'gateway'),
      state: bundled('workers/state/wrangler.toml', 'state'),
      stores,
      texts: {
        OPENAI_API_KEY: 'sk-operators',
        OPENAI_BASE_URL: `${allowed.url}/v1`,
        KEK_1: kek(1),
        UPSTREAM_LOOPBACK: [allowed, elsewhere].map(({ url }) => new URL(url).host).join(),
      },
    }),
  )
  api = apiAt(`http://127.0.0.1:${gateway.port}`)
  const admin = new AdminClient(`http://127.0.0.1:${gateway.port}`, stores.operatorToken)
  acme = (await admin.create('acme', 'paid')).key
  await api(acme, 'POST', MODELS, {
    model_id: 'keyed',
    endpoint_url: `${allowed.url}/v1`,
    api_key: 'sk-travelling',
    config: { discover: true, model: 'm' },
  })
})
afterAll(async () => {
  await running.close()
  await Promise.all([allowed?.close(), elsewhere?.close()])
  rmSync(dir, { recursive: true, force: true })
})

const ask = async (model: string, stream: boolean): Promise<Answer> =>
  answerOf(await chat(`http://127.0.0.1:${gateway.port}`, acme, chatBody('where to?', { model, stream })))

describe("a redirect by a model's server", () => {
  it.each([301, 302, 303, 307, 308])(
    'of status %i is followed by nothing, and takes no key along',
    async (status) => {
      for (const location of [
        `${elsewhere.url}/v1`,
        `//${new URL(elsewhere.url).host}/`,
        'https://169.254.169.254/',
        '/onward',
      ]) {
        allowed.serve({ status, text: 'moved', headers: { location } })
        const before = allowed.requests.length
        for (const model of ['custom:keyed', 'custom:keyed/other', 'openai:m'])
          for (const stream of [false, true]) {
            const answer = await ask(model, stream)
            expect(codeOf(answer), `${model} to ${location}`).toEqual([502, 'upstream_invalid'])
            expect(answer.text).not.toMatch(/onward|169\.254|moved/)
          }
        expect(codeOf(await api(acme, 'POST', `${MODELS}/keyed/test`))).toEqual([400, 'address_refused'])
        const made = {
          model_id: 'made',
          endpoint_url: allowed.url,
          config: { discover: true },
          api_key: 'sk-travelling',
        }
        expect((await api(acme, 'POST', MODELS, made)).body.discovered).toEqual([])
        expect((await api(acme, 'GET', '/v1/models')).status).toBe(200)
        await api(acme, 'DELETE', `${MODELS}/made`)
        const paths = allowed.requests.slice(before).map(({ path }) => path)
        expect(paths.length).toBeGreaterThanOrEqual(8)
        expect(paths).not.toContain('/onward')
      }
      expect(elsewhere.requests).toEqual([])
    },
  )
})
