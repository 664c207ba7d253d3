import { afterAll, beforeAll, expect, it } from 'vitest'
import { seededRandom } from '../../scripts/seeded-random.ts'
import { check, type HistoryEvent } from '../history/checker.ts'
import { createClients, createTenants } from '../history/clients.ts'
import { planOf, rage } from '../history/nemesis.ts'
import { comeToRest, readCosts, readStored } from '../history/rest.ts'
import { type RecordingStack, startRecordingStack } from '../support/recording-stack.ts'

// What was acknowledged is stored once, whoever is killed whenever: the workers as deployed on raw workerd, their
// objects on disk, SIGKILL at instants drawn by lot, and a database that refuses, hangs, fails, and commits without
// saying so. SEED repeats a plan; LONG=1 kills a hundred times.

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
const KILLS = process.env.LONG === '1' ? 100 : 10
const PER_SECOND = 40
/**
 * An isolate gathers hits for a second, and sends fifty at once if they come sooner: a kill costs one such batch.
 * The second half is for what was being sent, on a busy machine.
 */
const BOUNDS = { windowMs: 1_500, lostAtOnce: 50 }

let stack: RecordingStack
beforeAll(async () => {
  console.log(`seed ${seed}`)
  stack = await startRecordingStack({ seed, maxDelayMs: 5_000 })
})
afterAll(() => stack?.close())

it(`loses, doubles and makes up nothing while workers are killed ${KILLS} times`, async () => {
  const random = seededRandom(seed)
  const history: HistoryEvent[] = []
  const tenants = await createTenants(stack)
  const clients = createClients({ url: stack.gateway.url, tenants, random, history })
  // Keys are known from here on, also while the database is away.
  for (const tenant of tenants) await clients.ask(tenant)
  clients.start(PER_SECOND)
  await rage(stack, planOf(random, KILLS), tenants[0]?.id ?? '', history)
  await clients.stop()
  const abandoned = await comeToRest(stack, clients, tenants, 120_000)
  const stored = await readStored(stack)
  const costs = await readCosts(stack)
  const { findings, lostWithinBounds, counts } = check(history, stored, BOUNDS)
  const { redelivered } = stack.queue.counts
  const kills = history.filter(({ type }) => type === 'kill').length
  console.log(JSON.stringify({ seed, ...counts, kills, lostWithinBounds, abandoned, redelivered, costs }))
  expect(findings).toEqual([])
  expect(costs.ledgerUsd).toBeGreaterThan(0)
  expect(costs.spentUsd).toBeCloseTo(costs.ledgerUsd, 9)
  expect(costs.tenantsUsd).toBeCloseTo(costs.ledgerUsd, 9)
  expect(costs.hitsUsd).toBeGreaterThan(0)
  expect(costs.savedUsd).toBeCloseTo(costs.hitsUsd, 9)
  expect(costs.waiting).toBe(0)
  expect(counts.ok).toBeGreaterThan(KILLS * 10)
  expect(stored.buried).toHaveLength(KILLS / 5)
  expect(redelivered).toBeGreaterThan(0)
}, 900_000)
