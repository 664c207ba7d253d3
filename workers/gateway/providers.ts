import type { Endpoint, Provider } from '../../src/models/provider.ts'
import { PLANS } from '../../src/tenants/tenant.ts'
import { type Env, listOf } from './env.ts'
import { WORKERS_AI_MODELS, WORKERS_AI_URL } from './workers-ai.ts'

/** The providers that the environment has keys or addresses for, in order of preference. */
export function configuredProviders(env: Env): Provider[] {
  const providers: Provider[] = []
  const revision = '1'
  if (env.OPENAI_API_KEY) {
    const endpoints = endpointsOf('openai', 'https://api.openai.com/v1', env.OPENAI_API_KEY)
    providers.push({ name: 'openai', format: 'openai', endpoints, plans: ['paid'], revision })
  }
  if (env.ANTHROPIC_API_KEY) {
    const endpoints = endpointsOf('anthropic', 'https://api.anthropic.com/v1', env.ANTHROPIC_API_KEY)
    providers.push({ name: 'anthropic', format: 'anthropic', endpoints, plans: ['paid'], revision })
  }
  if (env.GEMINI_API_KEY) {
    const base = 'https://generativelanguage.googleapis.com/v1beta'
    const endpoints = endpointsOf('gemini', base, env.GEMINI_API_KEY)
    providers.push({ name: 'gemini', format: 'gemini', endpoints, plans: ['paid'], revision })
  }
  if (env.AI) {
    const name = 'workers-ai'
    const named = listOf(env.WORKERS_AI_MODELS)
    const models = named.length > 0 ? named : WORKERS_AI_MODELS
    const endpoints = endpointsOf(name, WORKERS_AI_URL)
    providers.push({ name, format: 'workers-ai', endpoints, models, plans: ['paid'], revision })
  }
  if (env.OLLAMA_BASE_URL) {
    const base = env.OLLAMA_BASE_URL.replace(/\/+$/, '')
    const endpoints = endpointsOf('ollama', base.endsWith('/v1') ? base : `${base}/v1`)
    providers.push({ name: 'ollama', format: 'openai', endpoints, plans: PLANS, revision })
  }
  if (env.SIMULATED_PROVIDER_URL) {
    const endpoints = endpointsOf('simulated', env.SIMULATED_PROVIDER_URL)
    providers.push({ name: 'simulated', format: 'openai', endpoints, plans: PLANS, revision })
  }
  return providers
}

/** @param keys one, or several separated by commas, which then share the load */
function endpointsOf(name: string, baseUrl: string, keys?: string): [Endpoint, ...Endpoint[]] {
  const [first, ...others] = (keys ?? '').split(',').map((key) => key.trim())
  const endpoint = (credential: string | undefined, index: number): Endpoint => ({
    id: index === 0 ? name : `${name}#${index + 1}`,
    baseUrl,
    host: hostOf(baseUrl),
    credential: credential || undefined,
    weight: 1,
    isForeign: false,
  })
  return [endpoint(first, 0), ...others.map((key, index) => endpoint(key, index + 1))]
}

/** A binding has none. */
const hostOf = (baseUrl: string): string | undefined =>
  (URL.canParse(baseUrl) && new URL(baseUrl).host) || undefined
