import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Listening, listen, readText } from '../../scripts/stack/http.ts'
import { ALERT_RULES } from '../../src/metrics/alert-rules.ts'
import { type Api, apiAt, codeOf } from '../support/api.ts'
import { OPERATOR_TOKEN, ROOT } from '../support/stores.ts'
import { type Stack, startStack } from '../support/workers.ts'

// The operator's routes and command, through the gateway to the hub, and out over real HTTP.

const ALERTS = '/api/admin/alerts'
const SECRET = 'canary-51ac'
let stack: Stack
let api: Api
let receiver: Listening
let status = 200
const taken: { path: string; body: string }[] = []

beforeAll(async () => {
  receiver = await listen(0, async (request, response) => {
    taken.push({ path: request.url ?? '', body: await readText(request) })
    response.writeHead(status).end('{}')
  })
  stack = await startStack({
    SLACK_WEBHOOK_URL: `${receiver.url}/${SECRET}`,
    PAGERDUTY_ROUTING_KEY: SECRET,
    PAGERDUTY_BASE_URL: receiver.url,
  })
  api = apiAt(stack.url)
})
afterAll(async () => {
  await stack?.close()
  await receiver?.close()
})

const asked = (method: string, path = '', body?: unknown) => api(OPERATOR_TOKEN, method, ALERTS + path, body)

/** What a person at the shell sees. */
const ops = (...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    const env = { ...process.env, BEAST_URL: stack.url, BEAST_OPERATOR_TOKEN: OPERATOR_TOKEN }
    execFile(process.execPath, [join(ROOT, 'scripts/ops.ts'), ...words], { env }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    )
  })

describe('GET /api/admin/alerts', () => {
  it('tells how all twelve stand, and the channels, and no secret', async () => {
    const { body, text } = await asked('GET')
    expect(body.data.map(({ rule }: { rule: string }) => rule)).toEqual(ALERT_RULES.map(({ name }) => name))
    expect(body.data[0]).toEqual({
      rule: 'HighErrorRate',
      labels: '',
      state: 'inactive',
      since: null,
      fired_at: null,
      value: null,
      told: [],
      silenced_until: null,
      severity: 'warning',
      channels: ['slack', 'pagerduty'],
      for_seconds: 300,
      unit: 'part',
      summary: ALERT_RULES[0]?.summary,
      tip: ALERT_RULES[0]?.tip,
    })
    expect(body.sent_by).toBe('gateway')
    expect(body.channels).toMatchObject([
      { channel: 'slack', on: true, waiting: 0, lost: 0 },
      { channel: 'pagerduty', on: true },
      { channel: 'email', on: false, note: 'RESEND_API_KEY is not set.' },
    ])
    expect(text).not.toContain(SECRET)
  })
})

describe('a silence', () => {
  it('is kept until it ends or is taken away', async () => {
    const made = await asked('POST', '/silence', { rule: 'HighLatency', minutes: 30 })
    expect(made.status).toBe(200)
    const until = Date.parse(made.body.until)
    expect(until - Date.now()).toBeGreaterThan(29 * 60_000)
    const { body } = await asked('GET')
    expect(body.silences).toEqual([{ rule: 'HighLatency', until: made.body.until }])
    const silenced = body.data.filter((alert: { silenced_until: string | null }) => alert.silenced_until)
    expect(silenced.map(({ rule }: { rule: string }) => rule)).toEqual(['HighLatency'])
    expect((await asked('DELETE', '/silence/HighLatency')).status).toBe(200)
    expect(codeOf(await asked('DELETE', '/silence/HighLatency'))).toEqual([404, 'not_found'])
    for (const rule of ['constructor', '__proto__', 'all', '%00'])
      expect(codeOf(await asked('DELETE', `/silence/${rule}`)), rule).toEqual([404, 'not_found'])
    expect((await asked('GET')).body.silences).toEqual([])
  })

  it.each([
    ['no rule', { minutes: 1 }, 'rule'],
    ['an unknown rule', { rule: 'HighEverything', minutes: 1 }, 'rule'],
    ['no time', { rule: 'all' }, 'minutes'],
    ['no time at all', { rule: 'all', minutes: 0 }, 'minutes'],
    ['a time in words', { rule: 'all', minutes: '5' }, 'minutes'],
    ['a time without end', { rule: 'all', minutes: 43_201 }, 'minutes'],
    ['a misspelt field', { rule: 'all', minutes: 1, minute: 5 }, 'minute'],
    ['a list', [], 'rule'],
  ])('with %s is refused, and names the field', async (_, body, param) => {
    const answer = await asked('POST', '/silence', body)
    expect(codeOf(answer)).toEqual([400, 'invalid_request'])
    expect(answer.body.error.param).toBe(param)
    expect((await asked('GET')).body.silences).toEqual([])
  })
})

describe('npm run ops -- test-alert', () => {
  it('sends it through the running gateway and says that it was taken', async () => {
    const told = await ops('test-alert', 'slack')
    expect(told).toEqual({
      code: 0,
      stdout: 'Slack took the test alert: it stands in the channel of the webhook.\n',
      stderr: '',
    })
    expect(taken).toHaveLength(1)
    expect(taken[0]?.path).toBe(`/${SECRET}`)
    expect(taken[0]?.body).toContain('This is a test')
    expect((await ops('test-alert', 'pagerduty')).code).toBe(0)
    expect(taken.map(({ path }) => path)).toEqual([`/${SECRET}`, '/v2/enqueue', '/v2/enqueue'])
  })

  it('says why not', async () => {
    expect(await ops('test-alert', 'email')).toMatchObject({
      code: 1,
      stderr:
        'Nothing was sent: the channel email is off. RESEND_API_KEY is not set. docs/alerts.md says how.\n',
    })
    status = 404
    expect(await ops('test-alert', 'slack')).toMatchObject({
      code: 1,
      stderr: 'Not delivered. Slack answered 404: look at SLACK_WEBHOOK_URL.\n',
    })
    status = 200
    expect((await ops('test-alert', 'slack', '--url', 'http://127.0.0.1:1')).stderr).toContain(
      'No gateway answers at http://127.0.0.1:1.',
    )
    for (const words of [['test-alert'], ['test-alert', 'pigeon'], ['test-alert', 'slack', 'x'], ['x']])
      expect(await ops(...words)).toMatchObject({ code: 2, stderr: expect.stringContaining('usage:') })
  })

  it('over HTTP knows no other channel', async () => {
    for (const body of [{}, { channel: 'pigeon' }, []])
      expect(codeOf(await asked('POST', '/test', body))).toEqual([400, 'invalid_request'])
  })
})
