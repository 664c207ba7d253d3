import { setTimeout as wait } from 'node:timers/promises'
import { uuidv7 } from '../../src/core/ids.ts'
import type { Fault } from '../support/fault-proxy.ts'
import type { RecordingStack } from '../support/recording-stack.ts'
import { rowOf } from '../support/telemetry.ts'
import type { HistoryEvent } from './checker.ts'

/** What befalls the workers, all of it drawn from one seed. */
export interface Plan {
  readonly kills: readonly {
    readonly victim: 'gateway' | 'recorder'
    /** Since the one before was back. */
    readonly afterMs: number
    readonly downMs: number
    /** Whether a batch with a poison row is sent on its way just before. */
    readonly poison: boolean
  }[]
  /** Of the database, over and over. */
  readonly faults: readonly { readonly fault: Fault; readonly ms: number; readonly soundMs: number }[]
}

const FAULTS: readonly Fault[] = [
  { kind: 'reset' },
  { kind: 'hang' },
  { kind: 'lost-reply' },
  { kind: 'answer', status: 500, body: '{"code":"SUP","message":"down"}' },
  { kind: 'answer', status: 503, body: '<html>busy</html>', share: 0.5 },
]

export function planOf(random: () => number, kills: number): Plan {
  const between = (low: number, high: number) => low + random() * (high - low)
  return {
    kills: Array.from({ length: kills }, (_, i) => ({
      victim: random() < 0.6 ? 'gateway' : 'recorder',
      afterMs: between(100, 1_800),
      downMs: between(0, 500),
      poison: i % 5 === 2,
    })),
    faults: Array.from({ length: 50 }, () => ({
      fault: FAULTS[Math.floor(random() * FAULTS.length)] as Fault,
      ms: between(200, 2_500),
      soundMs: between(200, 1_500),
    })),
  }
}

/** Does what the plan says, and leaves everything up again. */
export async function rage(
  stack: RecordingStack,
  plan: Plan,
  tenantId: string,
  history: HistoryEvent[],
): Promise<void> {
  const over = new AbortController()
  const faults = harass(stack, plan, over.signal)
  for (const [index, { victim, afterMs, downMs, poison }] of plan.kills.entries()) {
    await wait(afterMs)
    if (poison) await sendPoison(stack, `batch-${index}`, tenantId, history)
    if (victim === 'gateway') history.push({ type: 'kill', atMs: Date.now() })
    await stack[victim].kill()
    await wait(downMs)
    await stack[victim].start()
  }
  over.abort()
  await faults
  stack.proxy.set({ kind: 'none' })
}

async function harass({ proxy }: RecordingStack, { faults }: Plan, signal: AbortSignal): Promise<void> {
  try {
    for (let i = 0; ; i++) {
      const { fault, ms, soundMs } = faults[i % faults.length] ?? {
        fault: { kind: 'none' },
        ms: 0,
        soundMs: 0,
      }
      proxy.set(fault)
      await wait(ms, undefined, { signal })
      proxy.set({ kind: 'none' })
      await wait(soundMs, undefined, { signal })
    }
  } catch {
    // It is over.
  }
}

const POISONED_BATCH = 50
const POISONED_AT = 17

/** A batch of 50, one of which no table takes. */
async function sendPoison(
  { queue }: RecordingStack,
  name: string,
  tenantId: string,
  history: HistoryEvent[],
): Promise<void> {
  const rows = Array.from({ length: POISONED_BATCH }, (_, i) => {
    const requestId = `${name}-${i}`
    const predictionId = uuidv7(Date.now())
    return { ...rowOf(i, { predictionId, requestId, tenantId }), ...(i === POISONED_AT && { total_ms: -1 }) }
  })
  for (const [i, { request_id: op }] of rows.entries()) {
    const atMs = Date.now()
    const poison = i === POISONED_AT
    history.push({ type: 'invoke', op, kind: 'prediction', tenant: tenantId, atMs, poison })
  }
  const body = JSON.stringify({ records: rows.map((row) => ({ kind: 'prediction', row })) })
  const { ok } = await fetch(queue.url, { method: 'POST', body })
  if (!ok) throw new Error('the queue took nothing')
  for (const { request_id: op, id } of rows)
    history.push({ type: 'ok', op, atMs: Date.now(), id, durable: true })
}
