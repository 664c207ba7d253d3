import type { SupabaseClient } from '@supabase/supabase-js'
import { beginOf, type History, historyOf, STEP_SECONDS } from './history.ts'
import type { LongView } from './view.ts'

/** Reads longer times than the hub remembers, from the database's `dashboard_*` views. */
export class HistoryReader {
  readonly #connect: () => SupabaseClient
  readonly #now: () => number

  constructor(connect: () => SupabaseClient, now: () => number) {
    this.#connect = connect
    this.#now = now
  }

  async read(view: LongView): Promise<History> {
    const nowMs = this.#now()
    const { mode, model, tenant } = view.filter
    const { data } = await this.#connect()
      .rpc('dashboard_history', {
        since: new Date(beginOf(view, nowMs) * 1_000).toISOString(),
        step_seconds: STEP_SECONDS[view.minutes],
        of_mode: mode === undefined ? null : modeNumber(mode),
        of_model: model ?? null,
        of_tenant: tenant ?? null,
      })
      .throwOnError()
    return historyOf(data, view, nowMs)
  }
}

/** Of a class that there is not there is nothing. */
const modeNumber = (mode: string): number => (mode === 'none' ? 0 : /^[1-4]$/.test(mode) ? Number(mode) : -1)
