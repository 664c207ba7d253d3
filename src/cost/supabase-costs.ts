import type { SupabaseClient } from '@supabase/supabase-js'
import type { CostQuestion, CostStore, Costs, SpendHistory } from './costs.ts'

/** What the ledger in Supabase says of costs. */
export class SupabaseCosts implements CostStore {
  readonly #connect: () => SupabaseClient
  readonly #now: () => number

  constructor(connect: () => SupabaseClient, now: () => number) {
    this.#connect = connect
    this.#now = now
  }

  async costs({ tenantId, firstDay, lastDay, dimensions, top }: CostQuestion): Promise<Costs | undefined> {
    const { data } = await this.#connect()
      .rpc('costs', {
        of_tenant: tenantId ?? null,
        first_day: firstDay ?? null,
        last_day: lastDay ?? null,
        dimensions,
        as_of: this.#asOf(),
        top,
      })
      .throwOnError()
    return (data as Costs | null) ?? undefined
  }

  async history(tenantId: string | undefined, days: number, slotMinutes: number): Promise<SpendHistory> {
    const { data } = await this.#connect()
      .rpc('spend_history', {
        of_tenant: tenantId ?? null,
        days,
        slot_minutes: slotMinutes,
        as_of: this.#asOf(),
      })
      .throwOnError()
    return data as SpendHistory
  }

  async setTimeZone(tenantId: string, zone: string): Promise<boolean> {
    const { error, status } = await this.#connect()
      .from('tenants')
      .update({ time_zone: zone })
      .eq('id', tenantId)
    if (error && status !== 400) throw error
    return error === null
  }

  #asOf(): string {
    return new Date(this.#now()).toISOString()
  }
}
