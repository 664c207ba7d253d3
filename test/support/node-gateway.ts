import type { KvStore } from '../../src/core/kv.ts'
import type { RequestEvent } from '../../src/routing/settlement.ts'
import type { Administration } from '../../workers/gateway/administration.ts'
import { createFetch } from '../../workers/gateway/app.ts'
import type { Env } from '../../workers/gateway/env.ts'
import { createServices, type Services } from '../../workers/gateway/services.ts'
import { OPERATOR_TOKEN, TOKEN } from './stores.ts'

export interface NodeGateway {
  chat(key: string | undefined, body: unknown, headers?: Record<string, string>): Promise<Response>
  /** Any other route. */
  request(key: string, method: string, path: string, body?: unknown): Promise<Response>
  readonly services: Services & Administration
  /** Waits for everything that goes on behind the answers. */
  settled(): Promise<void>
}

export interface NodeGatewayOptions {
  readonly kv: KvStore
  readonly redisUrl: string
  readonly supabaseUrl: string
  readonly supabaseKey: string
  readonly providerUrl: string
  readonly revoked?: Set<string>
  /** Variables, and bindings that a test puts in. */
  readonly vars?: Record<string, unknown>
}

/** The gateway itself on Node, so that KV can be made to fail; one isolate, as fresh as a new one. */
export function nodeGateway(options: NodeGatewayOptions): NodeGateway {
  const revoked = options.revoked ?? new Set<string>()
  const account = {
    maySpend: async (id: string) =>
      revoked.has(id) ? { kind: 'revoked' } : { kind: 'allowed', isWatched: false, isHard: false },
    settle: async () => true,
    revoke: async (id: string) => void revoked.add(id),
  }
  const env = {
    CACHE: options.kv,
    ACCOUNT: { idFromName: (name: string) => name, get: () => account },
    TELEMETRY: { send: async () => {} },
    ROOT_KEY: 'r'.repeat(42).concat('o'),
    KEY_PEPPER: 'k'.repeat(43),
    OPERATOR_TOKEN,
    SUPABASE_URL: options.supabaseUrl,
    SUPABASE_SECRET_KEY: options.supabaseKey,
    UPSTASH_REDIS_REST_URL: options.redisUrl,
    UPSTASH_REDIS_REST_TOKEN: TOKEN,
    SIMULATED_PROVIDER_URL: options.providerUrl,
    ...options.vars,
  } as unknown as Env
  const made = createServices(env)
  // Rows are gathered for a second, which nobody is to wait for here.
  const services = { ...made, record: (event: RequestEvent) => made.record(event, () => {}) }
  const handle = createFetch(() => services)
  const background: Promise<unknown>[] = []
  const ctx = {
    waitUntil: (promise: Promise<unknown>) => background.push(promise),
    passThroughOnException: () => {},
  }
  return {
    services,
    request: async (key, method, path, body) =>
      handle(
        new Request(`http://gateway${path}`, {
          method,
          headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
          ...(body !== undefined && { body: JSON.stringify(body) }),
        }),
        env,
        ctx as unknown as ExecutionContext,
      ),
    chat: async (key, body, headers = {}) =>
      handle(
        new Request('http://gateway/v1/chat/completions', {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            ...(key && { authorization: `Bearer ${key}` }),
            ...headers,
          },
          body: typeof body === 'string' ? body : JSON.stringify(body),
        }),
        env,
        ctx as unknown as ExecutionContext,
      ),
    settled: async () => {
      while (background.length > 0) await Promise.allSettled(background.splice(0))
    },
  }
}
