import { Lru } from '../core/lru.ts'
import { type LabelsOf, seriesName } from './catalogue.ts'
import type { Sink } from './request-facts.ts'

type Mode = LabelsOf<'workflows_active'>['mode']

/** A workflow that is not heard of for so long has ended. */
const LEASE_MS = 15 * 60_000
const SWEEP_MS = 10_000
const MAX_WORKFLOWS = 10_000

interface Running {
  readonly key: string
  readonly mode: Mode
  untilMs: number
}

/**
 * Workflows that run now, as far as this isolate was told. One whose end another isolate was told counts here until
 * its lease is over.
 */
export class RunningWorkflows {
  readonly #sink: Sink
  readonly #running = new Set<Running>()
  readonly #active = new Map<Mode, number>()
  readonly #byKey: Lru<Running>
  #sweepAtMs = 0

  constructor(sink: Sink) {
    this.#sink = sink
    const limits = { maxEntries: MAX_WORKFLOWS, maxBytes: MAX_WORKFLOWS, ownerShare: 0.25 }
    this.#byKey = new Lru(limits, (running) => this.#forget(running))
  }

  tell(tenantId: string, id: string, state: 'running' | 'ended', mode: Mode, nowMs: number): void {
    const key = `${tenantId} ${id}`
    const known = this.#byKey.get(key)
    if (state === 'ended') this.#end(known)
    else if (known) known.untilMs = nowMs + LEASE_MS
    else {
      const running = { key, mode, untilMs: nowMs + LEASE_MS }
      this.#byKey.set(key, running, 1, tenantId)
      this.#running.add(running)
      this.#change(mode, 1)
    }
  }

  expire(nowMs: number): void {
    if (nowMs < this.#sweepAtMs || this.#running.size === 0) return
    this.#sweepAtMs = nowMs + SWEEP_MS
    for (const running of this.#running) if (running.untilMs <= nowMs) this.#end(running)
  }

  #end(running: Running | undefined): void {
    if (!running) return
    this.#byKey.delete(running.key)
    this.#forget(running)
  }

  #forget(running: Running): void {
    this.#running.delete(running)
    this.#change(running.mode, -1)
  }

  #change(mode: Mode, by: number): void {
    const active = (this.#active.get(mode) ?? 0) + by
    this.#active.set(mode, active)
    this.#sink.gauge(seriesName('workflows_active', { mode }), active)
  }
}
