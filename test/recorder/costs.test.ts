import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { EmbeddedSupabase } from '../../scripts/stack/supabase.ts'
import type { Batch } from '../../src/metrics/batch.ts'
import recorder, { type Env } from '../../workers/recorder/index.ts'
import { startTestSupabase, workerKeys } from '../support/stores.ts'
import { idOf, paidRecord, rowOf, TENANT_ID } from '../support/telemetry.ts'

// The recorder's own handler over the database, with a shard that fails.

let supabase: EmbeddedSupabase
let taken: Batch[]
let trouble: 'none' | 'away' | 'lost answer'
beforeAll(async () => {
  supabase = await startTestSupabase()
})
afterAll(() => supabase?.close())
beforeEach(async () => {
  vi.restoreAllMocks()
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
  taken = []
  trouble = 'none'
  await supabase.sql(`delete from tenants where id = '${TENANT_ID}'`)
  await supabase.sql('delete from cost_counts')
  await supabase.sql(`insert into tenants (id, name) values ('${TENANT_ID}', 'acme')`)
})

const env = (): Env => ({
  SUPABASE_URL: supabase.url,
  SUPABASE_RECORDER_KEY: workerKeys(supabase.publishableKey).SUPABASE_RECORDER_KEY,
  METRICS_SHARD: {
    idFromName: (name: string) => name,
    get: () => ({
      take: async (batch: Batch) => {
        if (trouble === 'away') throw new Error('away')
        taken.push(batch)
        if (trouble === 'lost answer') throw new Error('lost')
        return { flushMs: 2_000 }
      },
    }),
  } as unknown as Env['METRICS_SHARD'],
})
const price = { inputUsdPerMTok: 1_000_000, outputUsdPerMTok: 0 }
const message = (number: number) => ({
  records: [
    paidRecord(rowOf(number, { cache: 'miss' }), [
      {
        provider: 'p',
        model: 'm',
        route: 'p:m',
        endpoint: 'e',
        price,
        usage: { inputTokens: 1, outputTokens: 0 },
      },
    ]),
  ],
})
/** @returns which messages come again */
async function deliver(bodies: readonly unknown[]): Promise<number[]> {
  const again: number[] = []
  const messages = bodies.map((body, index) => {
    let said = ''
    return {
      id: String(index),
      timestamp: new Date(),
      body,
      attempts: 1,
      ack: () => {
        said ||= 'ack'
      },
      retry: () => {
        if (!said) again.push(index)
        said ||= 'retry'
      },
    }
  })
  const batch = { queue: 'beast-telemetry', messages } as unknown as Parameters<typeof recorder.queue>[0]
  await recorder.queue(batch, env())
  return again
}
const counted = (batches: readonly Batch[]) =>
  batches.reduce((sum, { added }) => sum + (added.counters['tenant_cost_usd_total{tenant="other"}'] ?? 0), 0)
const stored = async () => (await supabase.sql('select from ledger')).length

describe('a recorder', () => {
  it('tells what it booked before it lets go of the messages', async () => {
    expect(await deliver([message(1), message(2)])).toEqual([])
    expect(taken).toHaveLength(1)
    expect(counted(taken)).toBe(2)
    expect(await deliver([message(2), message(1)])).toEqual([])
    expect(taken).toHaveLength(1)
  })

  it('keeps one message as a reminder while the shard is away, and stores all the same', async () => {
    trouble = 'away'
    const bodies = [message(1), message(2), message(3)]
    expect(await deliver(bodies)).toEqual([0])
    expect(await stored()).toBe(3)
    expect(await deliver(bodies.slice(0, 1))).toEqual([0])
    trouble = 'none'
    expect(await deliver(bodies.slice(0, 1))).toEqual([])
    expect(counted(taken)).toBe(3)
    expect(await supabase.sql('select from cost_counts')).toEqual([])
  })

  it('tells the same again, under its number, where an answer was lost', async () => {
    trouble = 'lost answer'
    expect(await deliver([message(1)])).toEqual([0])
    trouble = 'none'
    // What another message brings is none of it.
    expect(await deliver([message(2)])).toEqual([])
    const [first, again, next] = taken
    expect(taken).toHaveLength(3)
    expect([again?.isolate, again?.seq, again?.added]).toEqual([first?.isolate, first?.seq, first?.added])
    expect(next?.seq).toBe((first?.seq ?? 0) + 1)
    expect(counted([again, next] as Batch[])).toBe(2)
  })

  it('asks no shard where nothing was stored', async () => {
    trouble = 'away'
    expect(await deliver([{ records: [] }])).toEqual([])
    expect(await deliver([{ records: [{ kind: 'feedback', row: { id: idOf(9) } }] }])).toEqual([])
    expect(taken).toEqual([])
  })
})
