import { GatewayError } from '../../src/core/errors.ts'
import type { TelemetryMessage } from '../../src/feedback/outbox.ts'
import type { Account } from '../state/account.ts'
import type { Flight } from '../state/flight.ts'
import type { Idempotency } from '../state/idempotency.ts'
import type { MetricsHub } from '../state/metrics-hub.ts'
import type { MetricsShard } from '../state/metrics-shard.ts'
import type { WorkersAiBinding } from './workers-ai.ts'

/** What the operator configures: bindings from wrangler.toml, secrets and variables by name. */
export interface Env {
  readonly CACHE: KVNamespace
  readonly ACCOUNT: DurableObjectNamespace<Account>
  /** Workers AI of the operator's own account; absent = not offered. */
  readonly AI?: WorkersAiBinding
  /** Rows on their way to the recorder. */
  readonly TELEMETRY: Queue<TelemetryMessage>
  /** Where requests that are alike find each other; absent = each asks for itself. */
  readonly FLIGHT?: DurableObjectNamespace<Flight>
  readonly IDEMPOTENCY: DurableObjectNamespace<Idempotency>
  /** What isolates count: theirs is the shard of `shardName`, the hub is all of them. */
  readonly METRICS_SHARD: DurableObjectNamespace<MetricsShard>
  readonly METRICS_HUB: DurableObjectNamespace<MetricsHub>
  /** The page at /monitoring, built; absent where it is not served. */
  readonly ASSETS?: Fetcher

  /** Base64url, at least 32 random bytes: seals cached values and makes cache keys. */
  readonly ROOT_KEY?: string
  /** At least 32 characters: virtual keys are stored as digests under it. */
  readonly KEY_PEPPER?: string
  /** At least 32 characters: opens the administration. Unset = closed. */
  readonly OPERATOR_TOKEN?: string
  /** At least 32 characters: opens /metrics. Unset = closed. */
  readonly METRICS_TOKEN?: string
  /** At least 32 characters: opens the page at /monitoring and nothing else. OPERATOR_TOKEN opens it too. */
  readonly VIEWER_TOKEN?: string
  /** `https://<team>.cloudflareaccess.com` and the application's tag: who comes through Cloudflare Access sees the page. */
  readonly ACCESS_TEAM_DOMAIN?: string
  readonly ACCESS_AUD?: string
  /** 32 random bytes each, base64url: provider keys are sealed under the highest. KEK_2 and on rotate it. */
  readonly KEK_1?: string
  readonly [kek: `KEK_${number}`]: string | undefined
  readonly SUPABASE_URL?: string
  readonly SUPABASE_SECRET_KEY?: string
  /** The key of the role beast_reader, under which cached answers are looked up; unset = SUPABASE_SECRET_KEY. */
  readonly SUPABASE_READER_KEY?: string
  readonly UPSTASH_REDIS_REST_URL?: string
  readonly UPSTASH_REDIS_REST_TOKEN?: string

  /** Here and below: one key, or several separated by commas, which then share the load. */
  readonly OPENAI_API_KEY?: string
  readonly ANTHROPIC_API_KEY?: string
  readonly GEMINI_API_KEY?: string
  /** Where each of them lies when it is not the vendor's own address: a proxy that all traffic goes through. */
  readonly OPENAI_BASE_URL?: string
  readonly ANTHROPIC_BASE_URL?: string
  readonly GEMINI_BASE_URL?: string
  readonly OLLAMA_BASE_URL?: string
  /** What is offered of Workers AI, comma-separated. */
  readonly WORKERS_AI_MODELS?: string
  readonly SIMULATED_PROVIDER_URL?: string

  /** Hosts that tenants' models may lie at beside public https, `host` or `host:port`, comma-separated. */
  readonly UPSTREAM_ALLOWED_HOSTS?: string
  /** Loopback addresses that they may lie at, `127.0.0.1:11434`, comma-separated: for a laptop only. */
  readonly UPSTREAM_LOOPBACK?: string

  /** What this gateway calls itself in `Via`, by which it knows its own requests; unset = made from SUPABASE_URL. */
  readonly GATEWAY_ID?: string
  /** Origins whose pages may call /v1, comma-separated; none by default. */
  readonly CORS_ORIGINS?: string
  readonly MAX_BODY_BYTES?: string
  readonly CACHE_MEMORY_ENTRIES?: string
  /** How many entries KV, Redis and Supabase are each planned for: what an alert compares with, no bound. */
  readonly CACHE_PLANNED_ENTRIES?: string
  readonly UPSTREAM_TIMEOUT_MS?: string
  readonly UPSTREAM_IDLE_MS?: string
  readonly UPSTREAM_CONNECT_MS?: string
  readonly UPSTREAM_FIRST_TOKEN_MS?: string
  /** After so long without an answer a second model is asked beside the first; unset = never. */
  readonly HEDGE_AFTER_MS?: string
  /** `off`: requests that are alike and under way at once each ask the model. */
  readonly FLIGHTS?: string
  /** Hits of one tenant that get a row of their own in an isolate, a second; beyond it they are added up. Default 50. */
  readonly HIT_ROWS_PER_SECOND?: string
  /** Which kind of requests counts as which mode, `named=1,custom=2,choice=3,task=4`. */
  readonly REQUEST_MODES?: string
  /** Tools, agents and sources of knowledge that have a label of their own in metrics, comma-separated. */
  readonly METRICS_TOOLS?: string
  readonly METRICS_AGENTS?: string
  readonly METRICS_SOURCES?: string
  /** What runs, for `build_info`. */
  readonly BUILD_VERSION?: string
  readonly BUILD_COMMIT?: string
  /** Tokens of an answer under a hard budget, where the caller names no maximum: sent upstream. Default 4096. */
  readonly BUDGET_OUTPUT_CAP_TOKENS?: string
}

export const MIN_SECRET_LENGTH = 32

type SecretName = 'ROOT_KEY' | 'KEY_PEPPER' | 'SUPABASE_URL' | 'SUPABASE_SECRET_KEY'

/** @throws GatewayError `misconfigured` when the secret is unset, empty or short: closed, never open */
export function requireSecret(env: Env, name: SecretName, minLength = 1): string {
  const value = env[name]
  if (value && value.length >= minLength) return value
  const problem = value ? `is shorter than ${minLength} characters` : 'is not set'
  throw new GatewayError(
    'misconfigured',
    `The gateway is not configured: ${name} ${problem}.`,
    `Set the secret ${name} (wrangler secret put ${name}) and deploy again.`,
  )
}

type NumberName =
  | 'MAX_BODY_BYTES'
  | 'CACHE_MEMORY_ENTRIES'
  | 'CACHE_PLANNED_ENTRIES'
  | 'UPSTREAM_TIMEOUT_MS'
  | 'UPSTREAM_IDLE_MS'
  | 'UPSTREAM_CONNECT_MS'
  | 'UPSTREAM_FIRST_TOKEN_MS'
  | 'HEDGE_AFTER_MS'
  | 'HIT_ROWS_PER_SECOND'
  | 'BUDGET_OUTPUT_CAP_TOKENS'

/** A whole number of at least 1 from the configuration. */
export function positiveInteger(env: Env, name: NumberName, fallback: number): number {
  const value = env[name]
  if (value === undefined || value === '') return fallback
  if (/^[1-9]\d{0,11}$/.test(value)) return Number(value)
  throw new GatewayError(
    'misconfigured',
    `The gateway is not configured: ${name} must be a whole number.`,
    `Correct ${name} and deploy again.`,
  )
}

/** The parts of a comma-separated list. */
export const listOf = (text: string | undefined): string[] =>
  (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
