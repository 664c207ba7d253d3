import { createTestHarness, type TestHarness } from 'wrangler'
import { type SimulatedProvider, startSimulatedProvider } from '../../scripts/simulated-provider.ts'
import { AdminClient } from '../../scripts/stack/admin-client.ts'
import type { EmbeddedSupabase } from '../../scripts/stack/supabase.ts'
import { WORKER_CONFIGS } from '../../scripts/stack/workers.ts'
import {
  OPERATOR_TOKEN,
  ROOT,
  startTestRedis,
  startTestSupabase,
  type TestRedis,
  workerKeys,
} from './stores.ts'

export interface Stack {
  readonly url: string
  readonly harness: TestHarness
  readonly supabase: EmbeddedSupabase
  readonly redis: TestRedis
  readonly provider: SimulatedProvider
  readonly admin: AdminClient
  /** A new key of the tenant. */
  key(tenant: string, plan?: string): Promise<string>
  /** Ends the workers and starts them anew: isolates and their memory are gone, the stores stay. */
  restart(): Promise<Stack>
  close(): Promise<void>
}

/** A key encryption key as an operator would draw it, the same at each run. */
export const kek = (seed: number): string =>
  Buffer.from(Array.from({ length: 32 }, (_, i) => (i * 11 + seed * 37) & 255)).toString('base64url')

/**
 * Every worker in workerd, on real stores, with the simulated provider behind them.
 * @param inFrontOfSupabase gives the address that the workers get for it
 */
export async function startStack(
  vars: Record<string, string> = {},
  inFrontOfSupabase: (url: string) => Promise<string> = async (url) => url,
): Promise<Stack> {
  const [supabase, redis, provider] = await Promise.all([
    startTestSupabase(),
    startTestRedis(),
    startSimulatedProvider(),
  ])
  const supabaseUrl = await inFrontOfSupabase(supabase.url)
  const start = async (): Promise<Stack> => {
    const secrets = {
      SUPABASE_URL: supabaseUrl,
      SUPABASE_SECRET_KEY: supabase.secretKey,
      ...workerKeys(supabase.publishableKey),
      UPSTASH_REDIS_REST_URL: redis.url,
      UPSTASH_REDIS_REST_TOKEN: redis.token,
      SIMULATED_PROVIDER_URL: provider.url,
      ROOT_KEY: 'r'.repeat(43).replace(/.$/, 'o'),
      KEY_PEPPER: 'k'.repeat(43),
      KEK_1: kek(1),
      UPSTREAM_LOOPBACK: new URL(provider.url).host,
      OPERATOR_TOKEN,
      // What stands in a developer's own .dev.vars must not reach a test.
      OPENAI_API_KEY: '',
      ANTHROPIC_API_KEY: '',
      GEMINI_API_KEY: '',
      OLLAMA_BASE_URL: '',
      ...vars,
    }
    const harness = createTestHarness({
      root: ROOT,
      workers: WORKER_CONFIGS.map((configPath) => ({ configPath, secrets })),
    })
    const url = (await harness.listen()).url.origin
    const admin = new AdminClient(url, OPERATOR_TOKEN)
    return {
      url,
      harness,
      supabase,
      redis,
      provider,
      admin,
      key: async (tenant, plan) => (await admin.create(tenant, plan)).key,
      restart: async () => {
        await harness.close()
        return start()
      },
      close: async () => {
        await harness.close()
        await Promise.all([supabase.close(), redis.close(), provider.close()])
      },
    }
  }
  return start()
}

/** POST /v1/chat/completions. */
export const chat = (
  url: string,
  key: string | undefined,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> =>
  fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
      ...headers,
    },
    body: typeof body === 'string' || body instanceof Uint8Array ? (body as BodyInit) : JSON.stringify(body),
  })
