import { crc32 } from '../../src/core/crc32.ts'
import { GatewayError } from '../../src/core/errors.ts'
import type { Endpoint, ListPrice, Provider } from '../../src/models/provider.ts'
import type { WireFormat } from '../../src/providers/adapter.ts'
import { PLANS, type Plan } from '../../src/tenants/tenant.ts'
import { type Env, listOf } from './env.ts'
import { WORKERS_AI_MODELS, WORKERS_AI_URL } from './workers-ai.ts'

type AddressName =
  | 'OPENAI_BASE_URL'
  | 'ANTHROPIC_BASE_URL'
  | 'GEMINI_BASE_URL'
  | 'OLLAMA_BASE_URL'
  | 'SIMULATED_PROVIDER_URL'

interface Configured {
  readonly name: string
  readonly format: WireFormat
  readonly plans: readonly Plan[]
  readonly address: AddressName
  /** Where it lies when nothing else is said; undefined: it is there only where its address is set. */
  readonly baseUrl?: string
  readonly price?: ListPrice
  readonly key?: 'OPENAI_API_KEY' | 'ANTHROPIC_API_KEY' | 'GEMINI_API_KEY'
}

/** What costs the operator money is for the paid plan. */
const VENDORS: readonly Configured[] = [
  {
    name: 'openai',
    format: 'openai',
    plans: ['paid'],
    key: 'OPENAI_API_KEY',
    address: 'OPENAI_BASE_URL',
    baseUrl: 'https://api.openai.com/v1',
  },
  {
    name: 'anthropic',
    format: 'anthropic',
    plans: ['paid'],
    key: 'ANTHROPIC_API_KEY',
    address: 'ANTHROPIC_BASE_URL',
    baseUrl: 'https://api.anthropic.com/v1',
  },
  {
    name: 'gemini',
    format: 'gemini',
    plans: ['paid'],
    key: 'GEMINI_API_KEY',
    address: 'GEMINI_BASE_URL',
    baseUrl: 'https://generativelanguage.googleapis.com/v1beta',
  },
]
/** One's own machine sends no bill. */
const FREE: ListPrice = { inputUsdPerMTok: 0, outputUsdPerMTok: 0 }
/** Of nothing real either, so that costs, savings and budgets can be tried out. */
const PRETENDED: ListPrice = { inputUsdPerMTok: 0.15, outputUsdPerMTok: 0.6 }
const SERVERS: readonly Configured[] = [
  { name: 'ollama', format: 'openai', plans: PLANS, address: 'OLLAMA_BASE_URL', price: FREE },
  { name: 'simulated', format: 'openai', plans: PLANS, address: 'SIMULATED_PROVIDER_URL', price: PRETENDED },
]

/**
 * The providers that the environment has keys or addresses for, in order of preference.
 * @throws GatewayError `misconfigured` for an address that is none
 */
export function configuredProviders(env: Env): Provider[] {
  return [...listed(env, VENDORS), ...workersAi(env), ...listed(env, SERVERS)]
}

const listed = (env: Env, providers: readonly Configured[]): Provider[] =>
  providers.flatMap(({ name, format, plans, key, address, baseUrl, price }) => {
    if (!env[key ?? address]) return []
    const base = env[address] ? baseUrlOf(env[address], address) : baseUrl
    if (base === undefined) return []
    // Ollama's own variable names the server alone.
    const whole = name === 'ollama' && !base.endsWith('/v1') ? `${base}/v1` : base
    const endpoints = endpointsOf(name, whole, key && env[key])
    // In the vendor's place another server may serve other models under the same names.
    const isVendors = baseUrl === undefined || whole === baseUrl
    return [{ name, format, endpoints, plans, revision: isVendors ? '1' : `1.${crc32(whole)}`, price }]
  })

function workersAi(env: Env): Provider[] {
  if (!env.AI) return []
  const name = 'workers-ai'
  const named = listOf(env.WORKERS_AI_MODELS)
  const models = named.length > 0 ? named : WORKERS_AI_MODELS
  const endpoints = endpointsOf(name, WORKERS_AI_URL)
  return [{ name, format: 'workers-ai', endpoints, models, plans: ['paid'], revision: '1' }]
}

/** The value is not repeated: every caller reads the error, and an address may hold a password. */
function baseUrlOf(text: string, name: AddressName): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isPlain = url && !url.username && !url.password && !url.search && !url.hash
  if (isPlain && /^https?:$/.test(url.protocol)) return text.trim().replace(/\/+$/, '')
  throw new GatewayError(
    'misconfigured',
    `The gateway is not configured: ${name} is not the base URL of a server.`,
    `Set ${name} to http(s)://host/path, without user name and query, and deploy again.`,
  )
}

/** @param keys one, or several separated by commas, which then share the load */
function endpointsOf(name: string, baseUrl: string, keys?: string): [Endpoint, ...Endpoint[]] {
  // A binding has none.
  const host = new URL(baseUrl).host || undefined
  const [first, ...others] = (keys ?? '').split(',').map((key) => key.trim())
  const endpoint = (credential: string | undefined, index: number): Endpoint => ({
    id: index === 0 ? name : `${name}#${index + 1}`,
    baseUrl,
    host,
    credential: credential || undefined,
    weight: 1,
    isForeign: false,
  })
  return [endpoint(first, 0), ...others.map((key, index) => endpoint(key, index + 1))]
}
