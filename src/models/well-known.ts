import type { WireFormat } from '../providers/adapter.ts'

export interface WellKnown {
  readonly baseUrl: string
  readonly format: WireFormat
}

/** Providers that a tenant may name without their address. */
const WELL_KNOWN: ReadonlyMap<string, WellKnown> = new Map([
  ['openai', { baseUrl: 'https://api.openai.com/v1', format: 'openai' }],
  ['anthropic', { baseUrl: 'https://api.anthropic.com/v1', format: 'anthropic' }],
  ['gemini', { baseUrl: 'https://generativelanguage.googleapis.com/v1beta', format: 'gemini' }],
  ['openrouter', { baseUrl: 'https://openrouter.ai/api/v1', format: 'openai' }],
  ['groq', { baseUrl: 'https://api.groq.com/openai/v1', format: 'openai' }],
  ['together', { baseUrl: 'https://api.together.xyz/v1', format: 'openai' }],
  ['mistral', { baseUrl: 'https://api.mistral.ai/v1', format: 'openai' }],
  ['deepseek', { baseUrl: 'https://api.deepseek.com/v1', format: 'openai' }],
])

export const WELL_KNOWN_NAMES: readonly string[] = [...WELL_KNOWN.keys()]

export const wellKnown = (provider: string): WellKnown | undefined => WELL_KNOWN.get(provider)
