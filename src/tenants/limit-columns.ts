import type { Limits } from './limits.ts'

/** How limits stand in the rows of tenants and of keys. */
export interface LimitColumns {
  readonly limit_requests: number | null
  readonly limit_tokens: number | null
  readonly limit_concurrency: number | null
  readonly limit_max_tokens: number | null
}

export const LIMIT_COLUMNS = 'limit_requests, limit_tokens, limit_concurrency, limit_max_tokens'

/** @returns undefined where there are none */
export function limitsOf(row: LimitColumns): Limits | undefined {
  const limits = {
    requestsPerMinute: row.limit_requests ?? undefined,
    tokensPerMinute: row.limit_tokens ?? undefined,
    concurrency: row.limit_concurrency ?? undefined,
    maxTokens: row.limit_max_tokens ?? undefined,
  }
  return Object.values(limits).some((limit) => limit !== undefined) ? limits : undefined
}

export const toColumns = (limits: Limits): LimitColumns => ({
  limit_requests: limits.requestsPerMinute ?? null,
  limit_tokens: limits.tokensPerMinute ?? null,
  limit_concurrency: limits.concurrency ?? null,
  limit_max_tokens: limits.maxTokens ?? null,
})
