import type { Provider } from '../../src/models/provider.ts'
import { PLANS } from '../../src/tenants/tenant.ts'
import type { Env } from './env.ts'

/** The providers that the environment has keys or addresses for, in order of preference. */
export function configuredProviders(env: Env): Provider[] {
  const providers: Provider[] = []
  if (env.OPENAI_API_KEY) {
    providers.push({
      name: 'openai',
      baseUrl: 'https://api.openai.com/v1',
      headers: { authorization: `Bearer ${env.OPENAI_API_KEY}` },
      plans: ['paid'],
      revision: '1',
    })
  }
  if (env.ANTHROPIC_API_KEY) {
    providers.push({
      name: 'anthropic',
      // Anthropic's own OpenAI-compatible endpoint; its list of models wants the native headers.
      baseUrl: 'https://api.anthropic.com/v1',
      headers: {
        authorization: `Bearer ${env.ANTHROPIC_API_KEY}`,
        'x-api-key': env.ANTHROPIC_API_KEY,
        'anthropic-version': '2023-06-01',
      },
      plans: ['paid'],
      revision: '1',
    })
  }
  if (env.OLLAMA_BASE_URL) {
    const base = env.OLLAMA_BASE_URL.replace(/\/+$/, '')
    const baseUrl = base.endsWith('/v1') ? base : `${base}/v1`
    providers.push({ name: 'ollama', baseUrl, headers: {}, plans: PLANS, revision: '1' })
  }
  if (env.SIMULATED_PROVIDER_URL) {
    providers.push({
      name: 'simulated',
      baseUrl: env.SIMULATED_PROVIDER_URL,
      headers: {},
      plans: PLANS,
      revision: '1',
    })
  }
  return providers
}
