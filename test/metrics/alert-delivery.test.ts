import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Listening, listen, readText } from '../../scripts/stack/http.ts'
import {
  deliver,
  GIVE_UP_AFTER_MS,
  nextDeliveryMs,
  type Troubles,
} from '../../src/metrics/alert-delivery/courier.ts'
import { type AlertSettings, linesOf, ownLinesOf } from '../../src/metrics/alert-delivery/lines.ts'
import { type Notice, testNotice } from '../../src/metrics/alert-notices.ts'
import { CHANNELS, type Channel } from '../../src/metrics/alert-rules.ts'
import { sqlOutbox } from '../../workers/state/alert-outbox.ts'
import { durableState } from '../state/durable-state.ts'
import { FAKE_START_MS } from '../support/fake-clock.ts'

// Real HTTP on loopback; only the time between attempts is made up.

const SECRET = 'canary-7c1d'
interface Call {
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: {
    readonly text?: string
    readonly event_action?: string
    readonly dedup_key?: string
    readonly subject?: string
  }
}
type Behaviour = (response: ServerResponse) => void
const answers =
  (status: number, headers: Record<string, string> = {}): Behaviour =>
  (response) =>
    void response.writeHead(status, headers).end('{}')
const hangs: Behaviour = () => {}

interface Service extends Listening {
  readonly calls: Call[]
  behave: Behaviour
}
async function service(): Promise<Service> {
  const calls: Call[] = []
  const listening = await listen(0, async (request, response) => {
    const text = await readText(request)
    calls.push({ path: request.url ?? '', headers: request.headers, body: JSON.parse(text) })
    made.behave(response)
  })
  const made: Service = Object.assign(listening, { calls, behave: answers(200) })
  return made
}

let slack: Service
let pagerduty: Service
let email: Service
beforeEach(async () => {
  const services = await Promise.all([service(), service(), service()])
  ;[slack, pagerduty, email] = services
})
afterEach(() => Promise.all([slack, pagerduty, email].map((each) => each.close())))

const settings = (): AlertSettings => ({
  GATEWAY_ID: 'gw-1',
  SLACK_WEBHOOK_URL: `${slack.url}/services/${SECRET}`,
  PAGERDUTY_ROUTING_KEY: SECRET,
  PAGERDUTY_BASE_URL: pagerduty.url,
  RESEND_API_KEY: SECRET,
  RESEND_BASE_URL: `${email.url}/`,
  ALERT_EMAIL_FROM: 'beast@example.com',
  ALERT_EMAIL_TO: 'a@example.com, b@example.com',
})

function post(options: { settings?: AlertSettings; timeoutMs?: number; random?: () => number } = {}) {
  const outbox = sqlOutbox(durableState('hub').ctx.storage.sql)
  const io = { fetch: (url: string, init: RequestInit) => fetch(url, init), timeoutMs: 300, ...options }
  const lines = linesOf(options.settings ?? settings(), io)
  const budgetLines = ownLinesOf(options.settings ?? settings(), io)
  let nowMs = FAKE_START_MS
  let troubles: Troubles = {}
  return {
    outbox,
    lines,
    troubles: () => troubles,
    wait: (ms: number) => {
      nowMs += ms
    },
    nextMs: () => nextDeliveryMs(outbox, troubles) - nowMs,
    deliver: async () => {
      const random = options.random ?? (() => 0.5)
      troubles = await deliver({ outbox, lines, budgetLines, now: () => nowMs, random }, troubles)
    },
  }
}

const notice = (kind: 'firing' | 'resolved', rule = 'HighErrorRate'): Notice => ({
  kind,
  id: `${rule} ${FAKE_START_MS}`,
  rule,
  labels: '',
  severity: 'critical',
  summary: 'More than 5 % of <requests> fail & fail',
  details: 'Now 7 %. Look.',
  atMs: FAKE_START_MS,
})
const put = ({ outbox }: ReturnType<typeof post>, each: Notice, channels: readonly Channel[] = CHANNELS) => {
  for (const channel of channels) outbox.put({ channel, notice: each })
}
const counts = () => [slack, pagerduty, email].map(({ calls }) => calls.length)

describe('a notice', () => {
  it('reaches every channel in its own words, its end under the key of its beginning', async () => {
    const office = post()
    put(office, notice('firing'))
    put(office, notice('resolved'))
    await office.deliver()
    expect(counts()).toEqual([2, 2, 2])
    expect(slack.calls[0]?.path).toBe(`/services/${SECRET}`)
    expect(slack.calls[0]?.body.text).toContain('*critical: HighErrorRate*')
    expect(slack.calls[0]?.body.text).toContain(
      'More than 5 % of &lt;requests&gt; fail &amp; fail. Now 7 %. Look.',
    )
    expect(slack.calls[1]?.body.text).toContain('*resolved: HighErrorRate*')
    const [trigger, resolve] = pagerduty.calls
    expect(trigger?.path).toBe('/v2/enqueue')
    expect(trigger?.body).toEqual({
      routing_key: SECRET,
      event_action: 'trigger',
      dedup_key: `gw-1 HighErrorRate ${FAKE_START_MS}`,
      payload: {
        summary: 'HighErrorRate: More than 5 % of <requests> fail & fail',
        source: 'gw-1',
        severity: 'critical',
        timestamp: new Date(FAKE_START_MS).toISOString(),
        component: 'gateway',
        class: 'HighErrorRate',
        custom_details: { details: 'Now 7 %. Look.' },
      },
    })
    expect(resolve?.body).toEqual({
      routing_key: SECRET,
      event_action: 'resolve',
      dedup_key: trigger?.body.dedup_key,
    })
    expect(email.calls[0]?.path).toBe('/emails')
    expect(email.calls[0]?.headers.authorization).toBe(`Bearer ${SECRET}`)
    expect(email.calls[0]?.body).toMatchObject({
      from: 'beast@example.com',
      to: ['a@example.com', 'b@example.com'],
      subject: '[firing] HighErrorRate: More than 5 % of <requests> fail & fail',
    })
    const keys = email.calls.map(({ headers }) => headers['idempotency-key'])
    expect(new Set(keys).size).toBe(2)
    expect(office.nextMs()).toBe(Number.POSITIVE_INFINITY)
  })

  it('is sent once by each channel, however the others fare: Slack fails, PagerDuty hangs', async () => {
    const office = post()
    slack.behave = answers(500)
    pagerduty.behave = hangs
    put(office, notice('firing'))
    await office.deliver()
    expect(counts()).toEqual([1, 1, 1])
    expect(CHANNELS.map((channel) => office.outbox.count(channel))).toEqual([1, 1, 0])
    expect(office.troubles()).toMatchObject({
      slack: { failures: 1, why: 'Slack answered 500.' },
      pagerduty: { failures: 1, why: 'PagerDuty did not answer within 300 ms.' },
    })
    // Not before its time, and mail not again.
    await office.deliver()
    expect(counts()).toEqual([1, 1, 1])
    put(office, notice('firing', 'HighLatency'), ['email'])
    await office.deliver()
    expect(counts()).toEqual([1, 1, 2])
    slack.behave = answers(200)
    pagerduty.behave = answers(202)
    office.wait(office.nextMs())
    await office.deliver()
    expect(counts()).toEqual([2, 2, 2])
    office.wait(3_600_000)
    await office.deliver()
    expect(counts()).toEqual([2, 2, 2])
    expect(office.troubles()).toMatchObject({ slack: { failures: 0, lost: 0 } })
  })

  it('waits where nobody listens, and tells no secret of it', async () => {
    const office = post()
    await Promise.all([slack.close(), pagerduty.close()])
    email.behave = answers(401)
    put(office, notice('firing'))
    await office.deliver()
    expect(office.troubles()).toMatchObject({
      slack: { why: 'Slack cannot be reached.' },
      pagerduty: { why: 'PagerDuty cannot be reached.' },
      email: {
        why: 'The mail service answered 401: look at RESEND_API_KEY, ALERT_EMAIL_FROM and ALERT_EMAIL_TO.',
      },
    })
    expect(CHANNELS.map((channel) => office.outbox.count(channel))).toEqual([1, 1, 1])
    expect(JSON.stringify(office.troubles())).not.toContain(SECRET)
  })

  it('that is refused is given up, counted, and in nobody’s way', async () => {
    const office = post()
    slack.behave = answers(400)
    put(office, notice('firing'), ['slack'])
    put(office, notice('resolved'), ['slack'])
    await office.deliver()
    expect(slack.calls).toHaveLength(2)
    expect(office.outbox.count('slack')).toBe(0)
    expect(office.troubles()).toMatchObject({
      slack: { failures: 0, lost: 2, why: 'Slack answered 400: look at SLACK_WEBHOOK_URL.' },
    })
  })

  it('never arrives after the notice of its end', async () => {
    const office = post()
    pagerduty.behave = answers(500)
    put(office, notice('firing'), ['pagerduty'])
    await office.deliver()
    put(office, notice('resolved'), ['pagerduty'])
    await office.deliver()
    pagerduty.behave = answers(202)
    office.wait(60_000)
    await office.deliver()
    expect(pagerduty.calls.map(({ body }) => body.event_action)).toEqual(['trigger', 'trigger', 'resolve'])
  })

  it('comes again after a crash before it was ticked off, under the same key', async () => {
    const office = post()
    put(office, notice('firing'), ['pagerduty', 'email'])
    const { remove } = office.outbox
    Object.assign(office.outbox, {
      remove: () => {
        throw new Error('killed')
      },
    })
    await expect(office.deliver()).rejects.toThrow('killed')
    Object.assign(office.outbox, { remove })
    await office.deliver()
    await office.deliver()
    expect(counts()).toEqual([0, 2, 2])
    expect(pagerduty.calls[1]?.body).toEqual(pagerduty.calls[0]?.body)
    expect(email.calls[1]?.headers['idempotency-key']).toBe(email.calls[0]?.headers['idempotency-key'])
  })

  it('is tried again after longer and longer waits, for six hours', async () => {
    const office = post({ random: () => 1 })
    slack.behave = answers(503)
    put(office, notice('firing'), ['slack'])
    const waits: number[] = []
    for (let tries = 0; office.outbox.count('slack') > 0; tries++) {
      expect(tries).toBeLessThan(200)
      await office.deliver()
      if (office.outbox.count('slack') === 0) break
      waits.push(office.nextMs() / 1_000)
      office.wait(office.nextMs())
    }
    expect(waits.slice(0, 10)).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300])
    expect(waits.reduce((sum, wait) => sum + wait, 0) * 1_000).toBeGreaterThanOrEqual(GIVE_UP_AFTER_MS)
    expect(office.troubles()).toMatchObject({ slack: { lost: 1 } })
    // What has gathered meanwhile goes with it; what is new does not.
    for (const old of ['A', 'B', 'C']) put(office, notice('firing', old), ['slack'])
    put(office, { ...notice('firing'), atMs: Date.parse('2100-01-01') }, ['slack'])
    await office.deliver()
    expect(office.outbox.count('slack')).toBe(1)
    expect(office.troubles()).toMatchObject({ slack: { lost: 4 } })
  })

  it('waits for as long as it is told to, within reason', async () => {
    const office = post()
    slack.behave = answers(429, { 'retry-after': '90' })
    put(office, notice('firing'), ['slack'])
    await office.deliver()
    expect(office.nextMs()).toBe(90_000)
    slack.behave = answers(429, { 'retry-after': '99999999' })
    office.wait(90_000)
    await office.deliver()
    expect(office.nextMs()).toBe(3_600_000)
  })

  it('takes its secret nowhere else', async () => {
    const office = post()
    pagerduty.behave = answers(307, { location: `${email.url}/elsewhere` })
    put(office, notice('firing'), ['pagerduty'])
    await office.deliver()
    expect(counts()).toEqual([0, 1, 0])
    expect(office.outbox.count('pagerduty')).toBe(1)
  })
})

describe('a channel', () => {
  const offWith = (changed: Partial<AlertSettings>) => {
    const lines = linesOf({ ...settings(), ...changed }, { fetch, timeoutMs: 1 })
    return CHANNELS.flatMap((channel) => {
      const line = lines[channel]
      return 'off' in line ? [`${channel}: ${line.off}`] : []
    })
  }

  it.each([
    [{}, []],
    [{ SLACK_WEBHOOK_URL: '' }, ['slack: SLACK_WEBHOOK_URL is not set.']],
    [{ SLACK_WEBHOOK_URL: 'hooks' }, ['slack: SLACK_WEBHOOK_URL is not an https address.']],
    [{ SLACK_WEBHOOK_URL: 'http://slack.com/x' }, ['slack: SLACK_WEBHOOK_URL is not an https address.']],
    [{ PAGERDUTY_ROUTING_KEY: '' }, ['pagerduty: PAGERDUTY_ROUTING_KEY is not set.']],
    [{ PAGERDUTY_BASE_URL: 'ftp://x' }, ['pagerduty: PAGERDUTY_BASE_URL is not an https address.']],
    [{ RESEND_API_KEY: '' }, ['email: RESEND_API_KEY is not set.']],
    [{ ALERT_EMAIL_TO: ' , ' }, ['email: ALERT_EMAIL_FROM or ALERT_EMAIL_TO is not set.']],
    [
      { ALERTS_BY: ' Alertmanager' },
      CHANNELS.map((each) => `${each}: Alertmanager sends the alerts (ALERTS_BY=alertmanager).`),
    ],
  ])('with %o is off, and says why', (changed, expected) => {
    expect(offWith(changed)).toEqual(expected)
  })

  it('that was switched off keeps nothing, and sends nothing', async () => {
    const office = post({ settings: { ...settings(), ALERTS_BY: 'alertmanager' } })
    put(office, notice('firing'))
    await office.deliver()
    expect(counts()).toEqual([0, 0, 0])
    expect(CHANNELS.map((channel) => office.outbox.count(channel))).toEqual([0, 0, 0])
  })

  it('can be tested; PagerDuty’s incident is ended at once', async () => {
    const { lines } = post()
    for (const channel of CHANNELS) {
      const line = lines[channel]
      if ('off' in line) throw new Error(line.off)
      expect(await line.send(testNotice(channel, 'TestAlert 1', FAKE_START_MS))).toEqual({
        outcome: 'delivered',
      })
    }
    expect(pagerduty.calls.map(({ body }) => [body.event_action, body.dedup_key])).toEqual([
      ['trigger', 'gw-1 TestAlert 1'],
      ['resolve', 'gw-1 TestAlert 1'],
    ])
    expect(slack.calls[0]?.body.text).toContain('Nothing is wrong')
    expect(email.calls[0]?.body.subject).toBe('[test] TestAlert: This is a test')
  })
})
