import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { AlertSettings } from '../../src/metrics/alert-delivery/lines.ts'
import { Tally } from '../../src/metrics/batch-tally.ts'
import { MetricsHub } from '../../workers/state/metrics-hub.ts'
import { MetricsShard } from '../../workers/state/metrics-shard.ts'
import { FAKE_START_MS } from '../support/fake-clock.ts'
import { durableState } from './durable-state.ts'

vi.mock('cloudflare:workers', () => ({
  DurableObject: class {
    readonly ctx: unknown
    readonly env: unknown
    constructor(ctx: unknown, env: unknown) {
      this.ctx = ctx
      this.env = env
    }
  },
}))

// Shard and hub on SQLite, hours in a moment: the alarms ring as they were set.

const MINUTE_MS = 60_000
const SETTINGS: AlertSettings = {
  SLACK_WEBHOOK_URL: 'https://slack.example/hook',
  PAGERDUTY_ROUTING_KEY: 'key',
}

beforeEach(() => void vi.useFakeTimers({ now: Math.ceil(FAKE_START_MS / MINUTE_MS) * MINUTE_MS }))
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

function gateway(settings: AlertSettings = SETTINGS) {
  const sent: string[] = []
  const broken = new Set<string>()
  vi.stubGlobal('fetch', async (url: string, init: { body: string }) => {
    const channel = url.includes('slack') ? 'slack' : 'pagerduty'
    if (broken.has(channel)) return new Response('', { status: 500 })
    const body = JSON.parse(init.body) as { text?: string; event_action?: string }
    const what = body.event_action ?? (body.text?.includes('resolved') ? 'resolved' : 'firing')
    sent.push(`${channel} ${what}`)
    return new Response('')
  })
  const hubState = durableState('hub')
  let env: AlertSettings = settings
  let hub: MetricsHub
  let isAway = false
  const shard = new MetricsShard(durableState('shard').ctx, {
    METRICS_HUB: {
      idFromName: () => 'hub',
      get: () => ({ expect: (id: string) => hub.expect(id) }),
    } as never,
  })
  const start = (changed: AlertSettings = env) => {
    env = changed
    hub = new MetricsHub(hubState.ctx, {
      ...env,
      METRICS_SHARD: {
        idFromString: (id: string) => id,
        get: () => ({
          report: async (after: number) => {
            if (isAway) throw new Error('away')
            return structuredClone(shard.report(after))
          },
        }),
      } as never,
    })
    return hub
  }
  hub = start()
  let seq = 0
  const count = (error: number, success: number) => {
    const tally = new Tally(10)
    tally.count('requests_total{mode="1",outcome="error"}', error)
    tally.count('requests_total{mode="1",outcome="success"}', success)
    const { counters, histograms, sketches } = tally.amounts()
    const added = { counters, histograms, gauges: {} }
    shard.take({ isolate: 'i', seq: ++seq, startedAtMs: Date.now(), added, sketches })
  }
  /** Rings every alarm up to that moment, each at its time. @returns how many */
  const pass = async (ms: number): Promise<number> => {
    const endMs = Date.now() + ms
    for (let rings = 0; ; rings++) {
      const atMs = hubState.alarmMs()
      if (atMs === null || atMs > endMs) {
        await vi.advanceTimersByTimeAsync(endMs - Date.now())
        return rings
      }
      await vi.advanceTimersByTimeAsync(Math.max(0, atMs - Date.now()))
      hubState.clearAlarm()
      await hub.alarm()
    }
  }
  const minutes = async (n: number, error: number, success: number, each: () => void = () => {}) => {
    for (let i = 0; i < n; i++) {
      count(error, success)
      await pass(MINUTE_MS)
      each()
    }
    // The alarm stands a second behind the minute's end.
    await pass(2_000)
    await vi.advanceTimersByTimeAsync(MINUTE_MS - (Date.now() % MINUTE_MS))
  }
  return {
    sent,
    broken,
    start,
    minutes,
    pass,
    hub: () => hub,
    state: (rule: string) => hub.alerts().alerts.find((alert) => alert.rule === rule),
    setAway: (away: boolean) => {
      isAway = away
    },
    alarmMs: hubState.alarmMs,
  }
}

describe('the hub', () => {
  it('tells each channel once that an alert fires, and once that it is over', async () => {
    const { minutes, sent, state } = gateway()
    await minutes(4, 10, 90)
    expect(state('HighErrorRate')).toMatchObject({ state: 'pending', firedMs: null, told: [] })
    expect(sent).toEqual([])
    await minutes(8, 10, 90)
    expect(sent.sort()).toEqual(['pagerduty trigger', 'slack firing'])
    expect(state('HighErrorRate')).toMatchObject({
      state: 'firing',
      told: ['slack', 'pagerduty'],
      value: expect.closeTo(0.1),
    })
    await minutes(10, 0, 100)
    expect(sent.slice(2).sort()).toEqual(['pagerduty resolve', 'slack resolved'])
    expect(state('HighErrorRate')).toMatchObject({ state: 'inactive', value: null })
  })

  it('does so also where it restarts after every minute', async () => {
    const { minutes, sent, start } = gateway()
    await minutes(12, 10, 90, start)
    await minutes(10, 0, 100, start)
    expect(sent.sort()).toEqual(['pagerduty resolve', 'pagerduty trigger', 'slack firing', 'slack resolved'])
  })

  it('brings a failed channel its notices when it is back, restarted in between', async () => {
    const { minutes, sent, broken, start, hub, pass } = gateway()
    broken.add('slack')
    await minutes(7, 10, 90)
    expect(sent).toEqual(['pagerduty trigger'])
    const slack = hub().alerts().channels[0]
    expect(slack).toMatchObject({ channel: 'slack', waiting: 1, note: 'Slack answered 500.' })
    start()
    broken.clear()
    await pass(3 * MINUTE_MS)
    expect(sent).toEqual(['pagerduty trigger', 'slack firing'])
    expect(hub().alerts().channels[0]).toMatchObject({ waiting: 0, lost: 0 })
  })

  it('says nothing of what is silenced, until the silence ends', async () => {
    const { minutes, sent, hub, state } = gateway()
    expect(hub().silence('HighErrorRat', Date.now() + 1)).toBe(false)
    expect(hub().silence('HighErrorRate', Date.now() + 12 * MINUTE_MS)).toBe(true)
    await minutes(8, 10, 90)
    expect(state('HighErrorRate')).toMatchObject({ state: 'firing', told: [] })
    expect(state('HighErrorRate')?.silencedUntilMs).toBeGreaterThan(Date.now())
    expect(sent).toEqual([])
    await minutes(6, 10, 90)
    expect(sent.sort()).toEqual(['pagerduty trigger', 'slack firing'])
    expect(hub().alerts().silences).toEqual([])
  })

  it('keeps a silence of all of them over a restart; what ends in it nobody hears of', async () => {
    const { minutes, sent, hub, start } = gateway()
    hub().silence('all', Date.now() + 60 * MINUTE_MS)
    start()
    await minutes(8, 10, 90)
    await minutes(10, 0, 100)
    expect(sent).toEqual([])
    expect(hub().alerts().silences).toMatchObject([{ rule: 'all' }])
    expect(hub().unsilence('all')).toBe(true)
    expect(hub().unsilence('all')).toBe(false)
    await minutes(8, 10, 90)
    // What was told is also told to be over: an incident would stay open otherwise.
    hub().silence('all', Date.now() + 60 * MINUTE_MS)
    await minutes(10, 0, 100)
    expect(sent.sort()).toEqual(['pagerduty resolve', 'pagerduty trigger', 'slack firing', 'slack resolved'])
  })

  it('leaves the telling to Alertmanager where that is set, and takes it over where it is not any more', async () => {
    const { minutes, sent, hub, start, state } = gateway({ ...SETTINGS, ALERTS_BY: 'alertmanager' })
    await minutes(8, 10, 90)
    expect(hub().alerts().sentBy).toBe('alertmanager')
    expect(state('HighErrorRate')).toMatchObject({ state: 'firing', told: [] })
    expect(await hub().testAlert('slack')).toMatchObject({ outcome: 'off' })
    start(SETTINGS)
    await minutes(1, 10, 90)
    expect(sent.sort()).toEqual(['pagerduty trigger', 'slack firing'])
  })

  it('tells a channel that was configured after the alert fired, and nobody else again', async () => {
    const { minutes, sent, start } = gateway({ PAGERDUTY_ROUTING_KEY: 'key' })
    await minutes(8, 10, 90)
    start(SETTINGS)
    await minutes(2, 10, 90)
    expect(sent).toEqual(['pagerduty trigger', 'slack firing'])
  })

  it('judges minutes of a shard that was away when they have come', async () => {
    const { minutes, sent, setAway, state } = gateway()
    setAway(true)
    await minutes(4, 10, 90)
    expect(state('HighErrorRate')).toMatchObject({ state: 'inactive' })
    setAway(false)
    await minutes(8, 10, 90)
    expect(sent.sort()).toEqual(['pagerduty trigger', 'slack firing'])
  })

  it('rests when nothing comes any more and nothing waits', async () => {
    const { minutes, pass, alarmMs, sent } = gateway()
    await minutes(8, 10, 90)
    const rings = await pass(6 * 3_600_000)
    expect(sent).toHaveLength(4)
    expect(alarmMs()).toBeNull()
    expect(rings).toBeLessThan(190)
  })

  it('tests a channel at once, and says what happened', async () => {
    const { hub, broken, sent } = gateway()
    expect(await hub().testAlert('slack')).toEqual({ outcome: 'delivered', why: '' })
    expect(await hub().testAlert('email')).toEqual({ outcome: 'off', why: 'RESEND_API_KEY is not set.' })
    broken.add('slack')
    expect(await hub().testAlert('slack')).toMatchObject({ outcome: 'failed', why: 'Slack answered 500.' })
    expect(sent).toHaveLength(1)
  })
})
