import { seededRandom } from '../../scripts/seeded-random.ts'
import type { Clock } from '../../src/core/clock.ts'
import { ABANDONED_AFTER_MS, Courier } from '../../src/feedback/courier.ts'
import { takeIn } from '../../src/feedback/intake.ts'
import { type TelemetryMessage, toParcel } from '../../src/feedback/outbox.ts'
import { toAbandonedRow } from '../../src/feedback/prediction.ts'
import { type RecordStore, StoreError } from '../../src/feedback/record-store.ts'
import { Telemetry, type TelemetryFacts } from '../../src/feedback/telemetry.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { facts, hitFolding, idOf, memoryShelf, memoryStore } from '../support/telemetry.ts'
import type { HistoryEvent, Stored, StoredRow } from './checker.ts'

export const TENANTS = ['01890000-0000-7000-8000-0000000000a0', '01890000-0000-7000-8000-0000000000b0']
const BATCH = 50
/** Of the ids of ratings, so that none is that of a prediction. */
const RATINGS_FROM = 1_000_000

/** What can happen next. `tenant` and `pick` are taken modulo what there is. */
export type Step =
  | { readonly do: 'miss'; readonly tenant: number }
  /** A request that was announced is answered; it stays abandoned where this never comes. */
  | { readonly do: 'settle'; readonly pick: number }
  | { readonly do: 'hits'; readonly tenant: number; readonly count: number }
  | { readonly do: 'rate'; readonly pick: number }
  | { readonly do: 'poison'; readonly tenant: number }
  | { readonly do: 'wait'; readonly ms: number }
  /** The recorder gets a batch; `dies`: it is killed before it can say what became of it. */
  | { readonly do: 'record'; readonly dies: boolean }
  | { readonly do: 'kill' }
  /** The account objects are moved elsewhere. */
  | { readonly do: 'evict' }
  /** `silent`: it does what it is asked, and does not say so. `no letters`: it buries nothing. */
  | { readonly do: 'database'; readonly is: 'up' | 'away' | 'silent' | 'no letters' }
  | { readonly do: 'queue'; readonly is: 'up' | 'away' | 'silent' }

/** One isolate of the gateway, the accounts of its tenants, a queue, and the tables: all in memory, in its own time. */
export function createWorld(seed: number) {
  const clock = fakeClock()
  const random = seededRandom(seed)
  const history: HistoryEvent[] = []
  const shelves = TENANTS.map(() => memoryShelf())
  const queue = new Map<number, { readonly body: TelemetryMessage; attempts: number }>()
  const poisoned = new Set<string>()
  const tables = memoryStore(poisoned)
  const is = { database: 'up', queue: 'up' }
  const acknowledged: { readonly id: string; readonly tenant: number }[] = []
  let announced: { readonly number: number; readonly tenant: number }[] = []
  let number = 0
  let sent = 0

  const send = async (body: TelemetryMessage): Promise<void> => {
    if (is.queue === 'away') throw new Error('queue unavailable')
    queue.set(sent++, { body, attempts: 0 })
    if (is.queue === 'silent') throw new Error('no answer')
  }
  const store: RecordStore = {
    insert: (records) => faulty(() => tables.store.insert(records)),
    bury: (letters) => faulty(() => tables.store.bury(letters), is.database === 'no letters'),
    isUp: async () => is.database === 'up',
  }
  const faulty = async (write: () => Promise<void>, refused = false): Promise<void> => {
    if (is.database === 'away' || refused) throw new StoreError('away', 'connection refused')
    await write()
    if (is.database === 'silent') throw new StoreError('away', 'connection lost')
  }

  const openAccounts = () => shelves.map((shelf) => new Courier({ shelf, now: clock.now, random, send }))
  let accounts = openAccounts()
  const startIsolate = () => {
    const life = { over: false }
    // What a killed isolate waited for never comes.
    const living = <T>(work: () => Promise<T>): Promise<T> => (life.over ? new Promise(() => {}) : work())
    const ownClock: Clock = { now: clock.now, after: (ms, fn) => clock.after(ms, () => life.over || fn()) }
    const telemetry = new Telemetry({
      clock: ownClock,
      random,
      settle: (tenantId, parcel) =>
        living(async () => accounts[TENANTS.indexOf(tenantId)]?.settle(parcel) ?? false),
      send: (message) => living(() => send(message)),
      folding: hitFolding(clock.now),
      hashes: { of: async () => 'h'.repeat(43) },
    })
    return { life, telemetry }
  }
  let isolate = startIsolate()

  const begin = (tenant: number, kind: 'prediction' | 'feedback', more: object = {}) => {
    const op = idOf(kind === 'feedback' ? RATINGS_FROM + number : number)
    const at = { op, kind, tenant: TENANTS[tenant] ?? '', atMs: clock.now() }
    history.push({ type: 'invoke', ...at, ...more })
    return op
  }
  const acknowledge = (op: string, durable: boolean) =>
    history.push({ type: 'ok', op, id: op, atMs: clock.now(), durable })
  const factsOf = (which: number, tenant: number, announced: boolean): TelemetryFacts => ({
    ...facts(which, { tenantId: TENANTS[tenant] ?? '' }),
    announced,
  })

  const deliverBatch = async (dies: boolean): Promise<void> => {
    const batch = [...queue].slice(0, BATCH)
    const said = new Map<number, 'ack' | 'retry'>()
    const deliveries = batch.map(([id, message]) => {
      message.attempts += 1
      const say = (word: 'ack' | 'retry') => () => void said.set(id, word)
      return { body: message.body, attempts: message.attempts, ack: say('ack'), retry: say('retry') }
    })
    await takeIn(store, deliveries, () => idOf(RATINGS_FROM * 2))
    if (!dies) for (const [id, word] of said) if (word === 'ack') queue.delete(id)
  }

  /** Time goes by, and every alarm goes off at its moment. */
  const pass = async (ms: number): Promise<void> => {
    const endMs = clock.now() + ms
    for (;;) {
      const next = accounts.toSorted((a, b) => a.nextMs - b.nextMs)[0]
      if (!next || next.nextMs > endMs) break
      await clock.advance(Math.max(0, next.nextMs - clock.now()))
      await next.deliver()
    }
    await clock.advance(Math.max(0, endMs - clock.now()))
  }

  const perform: { [Kind in Step['do']]: (step: Extract<Step, { do: Kind }>) => Promise<void> | void } = {
    miss: ({ tenant: any }) => {
      const tenant = any % TENANTS.length
      number += 1
      const op = begin(tenant, 'prediction')
      const row = toAbandonedRow(factsOf(number, tenant, true))
      if (row) accounts[tenant]?.expect(toParcel({ kind: 'prediction', row }))
      acknowledge(op, true)
      acknowledged.push({ id: op, tenant })
      announced.push({ number, tenant })
    },
    settle: ({ pick }) => {
      const [request] = announced.splice(pick % Math.max(1, announced.length), 1)
      if (request) isolate.telemetry.record(factsOf(request.number, request.tenant, true), () => {})
    },
    hits: ({ tenant: any, count }) => {
      const tenant = any % TENANTS.length
      for (let i = 0; i < count; i++) {
        number += 1
        const op = begin(tenant, 'prediction')
        isolate.telemetry.record(factsOf(number, tenant, false), () => {})
        acknowledge(op, false)
        acknowledged.push({ id: op, tenant })
      }
    },
    rate: ({ pick }) => {
      const rated = acknowledged[pick % Math.max(1, acknowledged.length)]
      if (!rated) return
      number += 1
      const op = begin(rated.tenant, 'feedback', { about: rated.id })
      const row = {
        id: op,
        tenant_id: TENANTS[rated.tenant] ?? '',
        prediction_id: rated.id,
        source: 'user' as const,
      }
      const said = { thumbs: 'up' as const, rating: null, outcome: null, correction: null, tags: null }
      const received_at = new Date(clock.now()).toISOString()
      accounts[rated.tenant]?.add([toParcel({ kind: 'feedback', row: { ...row, ...said, received_at } })])
      acknowledge(op, true)
    },
    poison: ({ tenant: any }) => {
      const tenant = any % TENANTS.length
      number += 1
      const op = begin(tenant, 'prediction', { poison: true })
      poisoned.add(op)
      const row = toAbandonedRow(factsOf(number, tenant, true))
      if (row) accounts[tenant]?.add([toParcel({ kind: 'prediction', row })])
      acknowledge(op, true)
    },
    wait: ({ ms }) => pass(ms),
    record: ({ dies }) => deliverBatch(dies),
    kill: () => {
      history.push({ type: 'kill', atMs: clock.now() })
      isolate.life.over = true
      announced = []
      isolate = startIsolate()
    },
    evict: () => {
      accounts = openAccounts()
    },
    database: (step) => {
      is.database = step.is
    },
    queue: (step) => {
      is.queue = step.is
    },
  }

  const rowOf = (row: object): StoredRow => {
    const { id, tenant_id: tenant, prediction_id: about } = row as Record<string, string>
    const matched = about !== undefined && tables.stored.has(about)
    return {
      id: id ?? '',
      op: id ?? '',
      tenant: tenant ?? '',
      ...(about !== undefined && { about, matched }),
    }
  }
  return {
    history,
    perform: async (step: Step): Promise<void> => perform[step.do](step as never),
    /** Everything is well again, and stays so until nothing is under way. */
    comeToRest: async (): Promise<Stored> => {
      is.database = 'up'
      is.queue = 'up'
      // Somebody asks again: what an isolate could not send goes with its next request.
      await perform.hits({ do: 'hits', tenant: 0, count: 1 })
      await pass(ABANDONED_AFTER_MS + 120_000)
      while (queue.size > 0) await deliverBatch(false)
      const rows = [...tables.stored.values()].map(rowOf)
      return {
        predictions: rows.filter(({ about }) => about === undefined),
        feedback: rows.filter(({ about }) => about !== undefined),
        buried: [...tables.letters.values()].map(rowOf),
      }
    },
    left: () => shelves.reduce((sum, shelf) => sum + shelf.count(), queue.size),
  }
}
