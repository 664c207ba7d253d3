import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { median } from '../../scripts/bench/report.ts'
import { seededRandom } from '../../scripts/seeded-random.ts'
import { check, type HistoryEvent } from '../history/checker.ts'
import { createClients, createTenants } from '../history/clients.ts'
import { comeToRest, readStored } from '../history/rest.ts'
import { type RecordingStack, startRecordingStack } from '../support/recording-stack.ts'

// Supabase is away while callers go on: nothing is lost, memory stays flat, the backlog drains. LONG=1 takes five
// minutes of outage, and the waits that the recorder really asks for.

const LONG = process.env.LONG === '1'
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
const WARM_S = LONG ? 60 : 12
const OUTAGE_S = LONG ? 300 : 30
const PER_SECOND = LONG ? 75 : 50
/** What the heaps may have grown by between the outage's beginning and its end, once collected. */
const HEAP_MB = 3
/** Resident, between the first and the last fifth of the outage: V8 takes room before it collects. */
const RESIDENT_MB = LONG ? 48 : 32
/** The recorder's own waits have grown to the length of the outage by its end. */
const DRAIN_S = LONG ? OUTAGE_S + 60 : 30

let stack: RecordingStack
beforeAll(async () => {
  console.log(`seed ${seed}`)
  stack = await startRecordingStack(LONG ? { seed } : { seed, maxDelayMs: 5_000 })
})
afterAll(() => stack?.close())

it(`loses nothing in ${OUTAGE_S} s without Supabase, grows by nothing, and drains`, async () => {
  const history: HistoryEvent[] = []
  const tenants = await createTenants(stack)
  const clients = createClients({ url: stack.gateway.url, tenants, random: seededRandom(seed), history })
  for (const tenant of tenants) await clients.ask(tenant)
  clients.start(PER_SECOND)
  const warm = await watch(WARM_S)
  stack.proxy.set({ kind: 'reset' })
  // What an outage sets up (open breakers, who waits for what) is there after some seconds of it.
  const outage = await watch(OUTAGE_S / 6)
  const heapsBefore = await heaps()
  outage.push(...(await watch(OUTAGE_S - outage.length)))
  const heapsAfter = await heaps()
  const { backlog } = stack.queue
  stack.proxy.set({ kind: 'none' })
  const drain: Memory[] = []
  const drainS = await untilDrained(drain)
  await clients.stop()
  await comeToRest(stack, clients, tenants, 400_000)

  const { findings, counts, lostWithinBounds } = check(history, await readStored(stack), {
    windowMs: 0,
    lostAtOnce: 0,
  })
  const series = (name: 'gateway' | 'recorder') =>
    [warm, outage, drain].map((part) => thin(part.map((each) => each[name])).join(' ')).join(' | ')
  console.log(
    `${JSON.stringify({ seed, ...counts, perSecond: PER_SECOND, lost: lostWithinBounds, findings: findings.length })}
backlog at the end of the outage: ${backlog} messages, of which none was left after ${drainS} s
resident MB, warm | outage | drain: gateway ${series('gateway')}
                                    recorder ${series('recorder')}
collected heaps, MB, in the outage: gateway ${heapsBefore.gateway} to ${heapsAfter.gateway}, recorder ${heapsBefore.recorder} to ${heapsAfter.recorder}`,
  )
  expect(findings).toEqual([])
  expect(counts.ok).toBeGreaterThan((WARM_S + OUTAGE_S) * PER_SECOND * 0.4)
  expect(backlog).toBeGreaterThan(OUTAGE_S / 2)
  expect(drainS).toBeLessThan(DRAIN_S)
  for (const name of ['gateway', 'recorder'] as const) {
    const fifth = Math.ceil(outage.length / 5)
    const [first, last] = [outage.slice(0, fifth), outage.slice(-fifth)].map((part) =>
      median(part.map((each) => each[name])),
    )
    expect(last, `${name}, from ${first} MB`).toBeLessThan((first ?? 0) + RESIDENT_MB)
    expect(heapsAfter[name], `${name}'s heap`).toBeLessThan(heapsBefore[name] + HEAP_MB)
  }
}, 1_500_000)

interface Memory {
  readonly gateway: number
  readonly recorder: number
}

const memory = (): Memory => ({ gateway: stack.gateway.memoryMb(), recorder: stack.recorder.memoryMb() })

/** Looks at the workers' memory once a second. */
async function watch(seconds: number): Promise<Memory[]> {
  const seen: Memory[] = []
  for (let second = 0; second < seconds; second++) {
    await wait(1_000)
    seen.push(memory())
  }
  return seen
}

const heaps = async (): Promise<Memory> => ({
  gateway: await stack.gateway.heapMb(),
  recorder: await stack.recorder.heapMb(),
})

/**
 * Until everything that was taken in the outage has landed, while callers go on.
 * @param seen gets the workers' memory meanwhile
 * @returns seconds
 */
async function untilDrained(seen: Memory[]): Promise<number> {
  const backMs = Date.now()
  const oldestMs = () => {
    seen.push(memory())
    return stack.queue.oldestMs ?? backMs
  }
  await expect.poll(oldestMs, { timeout: DRAIN_S * 1_000, interval: 250 }).toBeGreaterThanOrEqual(backMs)
  return (Date.now() - backMs) / 1_000
}

/** A dozen of them, rounded. */
function thin(values: readonly number[]): number[] {
  const step = Math.max(1, Math.floor(values.length / 12))
  return values.filter((_, i) => i % step === 0).map(Math.round)
}
