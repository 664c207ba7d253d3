import type { SupabaseClient } from '@supabase/supabase-js'
import * as z from 'zod/mini'

/** How much a custom model was used over the last 30 days, as far as it is rolled up. */
export interface CustomUsage {
  readonly tenant_id: string
  readonly model: string
  readonly requests: number
  readonly error_rate: number
  readonly mean_ms: number
  readonly p95_ms: number | null
  readonly cost_usd: number
  readonly quality: number | null
}

export interface TenantUsage {
  readonly requests: number
  readonly errors: number
  readonly hit_rate: number | null
  readonly cost_usd: number
  readonly saved_usd: number
}

export const USAGE_DAYS = 30
const MAX_MODELS = 500

// Postgres' numeric may come as text.
const number = z.coerce.number()
const orNull = z.nullable(number)
const model = z.object({
  tenant_id: z.string(),
  model: z.string(),
  requests: number,
  error_rate: number,
  mean_ms: number,
  p95_ms: orNull,
  cost_usd: number,
  quality: orNull,
})
const tenant = z.object({
  requests: number,
  errors: number,
  hit_rate: orNull,
  cost_usd: number,
  saved_usd: number,
})

/** Reads the database's own views. */
export class CustomUsageReader {
  readonly #connect: () => SupabaseClient

  constructor(connect: () => SupabaseClient) {
    this.#connect = connect
  }

  /** The most used first. @param tenantId undefined: of all tenants */
  async models(tenantId: string | undefined): Promise<readonly CustomUsage[]> {
    const asked = this.#connect()
      .from('model_overview')
      .select(Object.keys(model.shape).join(', '))
      .eq('provider', 'custom')
    const { data } = await (tenantId === undefined ? asked : asked.eq('tenant_id', tenantId))
      .order('requests', { ascending: false })
      .limit(MAX_MODELS)
      .throwOnError()
    return z.array(model).parse(data)
  }

  async tenant(tenantId: string): Promise<TenantUsage> {
    const { data } = await this.#connect()
      .from('tenant_overview')
      .select(Object.keys(tenant.shape).join(', '))
      .eq('tenant_id', tenantId)
      .throwOnError()
    const [used] = z.array(tenant).parse(data)
    return used ?? { requests: 0, errors: 0, hit_rate: null, cost_usd: 0, saved_usd: 0 }
  }
}
