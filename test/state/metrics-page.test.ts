import { describe, expect, it } from 'vitest'
import type { FromHub } from '../../src/dashboard/messages.ts'
import { FIRST_VIEW, type View } from '../../src/dashboard/view.ts'
import type { Live } from '../../src/metrics/batch.ts'
import { MINUTE_MS } from '../../src/metrics/rings.ts'
import { PageAudience } from '../../workers/state/metrics-page.ts'
import { fakeClock } from '../support/fake-clock.ts'

const REQUESTS =
  'requests_total{mode="1",provider="p",model="m",outcome="success",cache="miss",stream="false"}'

/** A socket as a Durable Object holds it. */
class Socket {
  attachment: unknown
  closed: number | undefined
  readonly told: FromHub[] = []
  isBroken = false
  serializeAttachment(value: unknown) {
    this.attachment = structuredClone(value)
  }
  deserializeAttachment() {
    return this.attachment
  }
  send(text: string) {
    if (this.isBroken) throw new Error('gone')
    this.told.push(JSON.parse(text) as FromHub)
  }
  close(code: number) {
    this.closed = code
  }
}

function hub() {
  const clock = fakeClock()
  const sockets: Socket[] = []
  const asked: string[] = []
  let count = 0
  const live = async (seconds: number): Promise<Live> => {
    asked.push(`live ${seconds}`)
    const counters: Record<string, number> = count > 0 ? { [REQUESTS]: count } : {}
    const amounts = { counters, histograms: {}, sketches: {} }
    return { window: { amounts, seconds }, gauges: {}, isolates: 1 }
  }
  const ctx = { getWebSockets: () => sockets.filter(({ closed }) => closed === undefined) }
  const audience = new PageAudience(ctx as unknown as DurableObjectState, clock, {
    refresh: async () => void asked.push('refresh'),
    minutes: () => [],
    today: () => undefined,
    live,
  })
  const join = (untilMs = clock.now() + 3_600_000) => {
    const socket = new Socket()
    socket.serializeAttachment({ untilMs, heardMs: 0 })
    sockets.push(socket)
    return socket
  }
  const say = (socket: Socket, wish: unknown) =>
    audience.heard(socket as unknown as WebSocket, typeof wish === 'string' ? wish : JSON.stringify(wish))
  const look = (socket: Socket, view: View = FIRST_VIEW) => say(socket, { look: view })
  const add = (more: number) => {
    count += more
  }
  return { clock, asked, join, say, look, add }
}

describe('the page’s audience', () => {
  it('asks nobody anything while nobody looks', async () => {
    const { clock, asked, join } = hub()
    join()
    await clock.advance(120_000)
    expect(asked).toEqual([])
  })

  it('is told twice a second while somebody looks, and no more once nobody does', async () => {
    const { clock, asked, join, look, say, add } = hub()
    const socket = join()
    await look(socket)
    expect(socket.told).toMatchObject([{ kind: 'whole', view: FIRST_VIEW }])
    await clock.advance(2_000)
    expect(socket.told.length).toBe(5)
    add(1)
    await clock.advance(500)
    expect(socket.told.at(-1)).toMatchObject({ kind: 'now', figures: { P7: [{ labels: ['1'], now: 1 }] } })
    await say(socket, { rest: true })
    await clock.advance(1_000)
    const before = asked.length
    await clock.advance(60_000)
    expect(asked.length).toBe(before)
    await look(socket)
    expect(asked.length).toBeGreaterThan(before)
  })

  it('forgets a page that went away without a word', async () => {
    const { clock, asked, join, look } = hub()
    await look(join())
    await clock.advance(31_000)
    const before = asked.length
    await clock.advance(60_000)
    expect(asked.length).toBe(before)
  })

  it('asks once for all that look, and tells each its own', async () => {
    const { clock, asked, join, look } = hub()
    const [first, second] = [join(), join()]
    await look(first)
    await look(second, { ...FIRST_VIEW, tab: 'K' })
    await clock.advance(500)
    const before = asked.length
    await clock.advance(5_000)
    expect(asked.length - before).toBeLessThanOrEqual(11)
    expect(second.told[0]).toMatchObject({ kind: 'whole', view: { tab: 'K' } })
    expect(first.told.every((told) => told.kind === 'now' || told.view.tab === 'P')).toBe(true)
  })

  it('tells everything anew once a minute, and when the view changes', async () => {
    const { clock, asked, join, look } = hub()
    await clock.advance(10_000)
    const socket = join()
    await look(socket)
    const restMs = MINUTE_MS - (clock.now() % MINUTE_MS)
    for (let ms = 0; ms < restMs + 1_500; ms += 10_000) {
      await look(socket)
      await clock.advance(Math.min(10_000, restMs + 1_500 - ms))
    }
    expect(socket.told.filter(({ kind }) => kind === 'whole')).toHaveLength(2)
    expect(asked.filter((what) => what === 'refresh')).toHaveLength(2)
    await look(socket, { ...FIRST_VIEW, minutes: 60 })
    await clock.advance(500)
    expect(socket.told.filter(({ kind }) => kind === 'whole')).toHaveLength(3)
  })

  it('ends with the session, also of one who only rests', async () => {
    const { clock, join, look } = hub()
    const [ending, staying] = [join(hub().clock.now() + 5_000), join()]
    await look(ending)
    await look(staying)
    await clock.advance(6_000)
    expect([ending.closed, staying.closed]).toEqual([4401, undefined])
    expect(ending.told.length).toBeLessThanOrEqual(11)
  })

  it('closes a line that speaks in riddles, and goes on for the others', async () => {
    const { clock, join, say, look } = hub()
    const good = join()
    await look(good)
    const riddles = [
      '',
      'x',
      '{}',
      '[]',
      'null',
      '{"look":null}',
      '{"rest":1}',
      `{"look":"${'x'.repeat(3_000)}"}`,
    ]
    for (const riddle of riddles) {
      const bad = join()
      await say(bad, riddle)
      expect(bad.closed, riddle.slice(0, 20)).toBe(4400)
    }
    const broken = join()
    broken.isBroken = true
    await look(broken)
    const before = good.told.length
    await clock.advance(2_000)
    expect(good.told.length).toBe(before + 4)
  })
})
