import type { SupabaseClient } from '@supabase/supabase-js'
import * as z from 'zod/mini'
import { uuidv7 } from '../core/ids.ts'
import { SOURCES } from './feedback.ts'
import type { RequestQuery } from './request-search.ts'
import type { RequestPage, RequestReach, RequestReader, RequestStory, StoryWords } from './request-story.ts'
import { storedTime } from './supabase-feedback.ts'

/** An id is drawn when its request arrives; clocks may differ by a little. */
const SLACK_MS = 60_000
const LEAST = '00000000-0000-4000-0000-000000000000'

const text = z.nullable(z.string())
// Postgres' numeric may come as text.
const number = z.coerce.number()
const count = z.nullable(z.number())
const tenant = z.object({ name: z.string(), keeps_text: z.boolean() })

const summary = z.object({
  id: z.string(),
  created_at: storedTime,
  route: text,
  model: text,
  stream: z.boolean(),
  outcome: z.enum(['success', 'client_error', 'error', 'cancelled']),
  error_code: text,
  cache: z.enum(['hit', 'miss', 'bypass', 'none']),
  cache_tier: text,
  task: text,
  input_tokens: count,
  output_tokens: count,
  cost_usd: number,
  saved_usd: number,
  total_ms: z.number(),
  attempts: z.number(),
})
const whole = z.extend(summary, {
  tenant_id: z.string(),
  key_id: text,
  request_id: z.string(),
  stored_at: storedTime,
  provider: text,
  cache_match: z.nullable(z.enum(['exact', 'semantic'])),
  cached_prediction_id: text,
  mode: count,
  language: text,
  tokens_estimated: z.boolean(),
  upstream_ms: count,
  first_byte_ms: count,
  predicted_quality: count,
  decision: z.unknown(),
  features: z.unknown(),
})
const hashes = z.object({ user_hash: text, prompt_hash: text, answer_hash: text })
const attempt = z.object({
  attempt: z.number(),
  model: z.string(),
  provider: z.string(),
  endpoint: text,
  result: z.enum(['answered', 'failed', 'abandoned', 'cancelled']),
  failure: text,
  total_ms: z.number(),
  input_tokens: count,
  output_tokens: count,
  tokens_estimated: z.boolean(),
  cost_usd: number,
  priced_by: z.enum(['own', 'list', 'free', 'unpriced']),
})
const ledger = z.object({
  cost_usd: number,
  settled_as: z.enum(['settled', 'abandoned']),
  unpriced: z.boolean(),
})
const rating = z.object({
  source: z.enum(SOURCES),
  thumbs: z.nullable(z.enum(['up', 'down'])),
  rating: count,
  outcome: count,
  tags: z.array(z.string()),
  received_at: storedTime,
  amended_at: z.nullable(storedTime),
})
const corrected = z.extend(rating, { correction: text })
const words = z.object({ prompt: text, answer: text })

const columns = ({ shape }: { readonly shape: object }): string => Object.keys(shape).join(', ')

/** Recorded requests in Supabase. Every query names the tenant, but for one that may see all of them. */
export class SupabaseRequests implements RequestReader {
  readonly #connect: () => SupabaseClient
  readonly #providers: readonly string[]

  /** @param providers the names that may stand before a model's own */
  constructor(connect: () => SupabaseClient, providers: readonly string[]) {
    this.#connect = connect
    this.#providers = providers
  }

  async search({ tenantId }: RequestReach, query: RequestQuery): Promise<RequestPage> {
    const { fromMs, toMs, model, outcome, cache, task, minCostUsd, limit, cursor } = query
    let asked = this.#connect()
      .from('ml_predictions')
      .select(`${columns(summary)}, tenants!inner (name)`)
    if (tenantId !== undefined) asked = asked.eq('tenant_id', tenantId)
    // Ids rise with time, and are what the index is by: they bound what is read, the time itself decides.
    if (fromMs !== undefined)
      asked = asked.gte('id', idAt(fromMs - SLACK_MS)).gte('created_at', isoOf(fromMs))
    if (toMs !== undefined) asked = asked.lt('id', idAt(toMs + SLACK_MS)).lt('created_at', isoOf(toMs))
    if (model !== undefined) asked = asked.in('model', this.#modelsCalled(model))
    if (outcome !== undefined) asked = asked.eq('outcome', outcome)
    if (cache !== undefined) asked = asked.eq('cache', cache)
    if (task !== undefined) asked = asked.eq('task', task)
    if (minCostUsd !== undefined) asked = asked.gte('cost_usd', minCostUsd)
    if (cursor !== undefined) asked = asked.lt('id', cursor)
    const { data } = await asked
      .order('id', { ascending: false })
      .limit(limit + 1)
      .throwOnError()
    const found = z.array(z.extend(summary, { tenants: z.pick(tenant, { name: true }) })).parse(data)
    const page = found.slice(0, limit).map(({ tenants, ...row }) => ({ ...row, tenant: tenants.name }))
    return { data: page, next_cursor: found.length > limit ? (page.at(-1)?.id ?? null) : null }
  }

  async story({ tenantId, withWords }: RequestReach, id: string): Promise<RequestStory | undefined> {
    let asked = this.#connect()
      .from('ml_predictions')
      .select(`${columns(whole)}, ${columns(hashes)}, tenants!inner (name, keeps_text)`)
      .eq('id', id)
    if (tenantId !== undefined) asked = asked.eq('tenant_id', tenantId)
    const { data } = await asked.throwOnError()
    const [found] = z.array(z.extend(whole, { ...hashes.shape, tenants: tenant })).parse(data)
    if (!found) return undefined
    const { tenant_id: owner, tenants, attempts: tries, user_hash, prompt_hash, answer_hash, ...row } = found
    const [attempts, paid, ratings, said] = await Promise.all([
      this.#attempts(owner, id),
      this.#ledger(owner, id),
      this.#ratings(owner, id, withWords),
      withWords && tenants.keeps_text ? this.#text(owner, id) : null,
    ])
    const told: StoryWords = { user_hash, prompt_hash, answer_hash, text: said }
    return {
      ...row,
      tenant: tenants.name,
      tries,
      attempts,
      ledger: paid && { ...paid, saved_usd: row.saved_usd },
      ratings,
      ...(withWords && told),
    }
  }

  async #attempts(tenantId: string, id: string) {
    const { data } = await this.#of('ledger_attempts', attempt, tenantId, id).order('attempt').throwOnError()
    return z.array(attempt).parse(data)
  }

  async #ledger(tenantId: string, id: string) {
    const { data } = await this.#of('ledger', ledger, tenantId, id).throwOnError()
    return z.array(ledger).parse(data)[0] ?? null
  }

  async #ratings(tenantId: string, id: string, withWords: boolean) {
    const shape = withWords ? corrected : rating
    const { data } = await this.#of('quality_feedback', shape, tenantId, id).order('source').throwOnError()
    return z.array(z.extend(rating, { correction: z._default(text, null) })).parse(data)
  }

  async #text(tenantId: string, id: string) {
    const { data } = await this.#of('prediction_texts', words, tenantId, id).throwOnError()
    return z.array(words).parse(data)[0] ?? null
  }

  #of(table: string, shape: { readonly shape: object }, tenantId: string, id: string) {
    return this.#connect()
      .from(table)
      .select(columns(shape))
      .eq('tenant_id', tenantId)
      .eq('prediction_id', id)
  }

  #modelsCalled(name: string): string[] {
    return [name, ...this.#providers.map((provider) => `${provider}:${name}`)]
  }
}

/** The least id that can have been drawn then. */
const idAt = (ms: number): string => uuidv7(Math.max(0, ms), LEAST)

const isoOf = (ms: number): string => new Date(ms).toISOString()
