import { type Provider, type UsageExtractor, waitForUpdate } from '@pydantic/genai-prices'
import * as z from 'zod/mini'
import { isObject } from '../core/json.ts'
import type { WireFormat } from '../providers/adapter.ts'
import { type ReadUsage, readUsage } from './extract.ts'
import { listedName } from './names.ts'

/** Providers with their models, prices and extractors, as github.com/pydantic/genai-prices publishes them. */
export type PriceTable = readonly Provider[]

/** The table that came with the package. */
export async function bundledTable(): Promise<PriceTable> {
  return (await waitForUpdate()) ?? []
}

const price = z.number().check(z.gte(0))
const prices = z.record(
  z.string(),
  z.union([
    price,
    z.object({ base: price, tiers: z.array(z.object({ start: z.int().check(z.gte(0)), price })) }),
  ]),
)
const rule: z.ZodMiniType = z.lazy(() =>
  z.union([
    z.object({ or: z.array(rule) }),
    z.object({ and: z.array(rule) }),
    z.object({ equals: z.string() }),
    z.object({ starts_with: z.string() }),
    z.object({ ends_with: z.string() }),
    z.object({ contains: z.string() }),
    z.object({ regex: z.string().check(z.refine(isPattern)) }),
  ]),
)
const day = z
  .string()
  .check(z.refine((text) => /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text))))
const clock = z
  .string()
  .check(z.regex(/^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/))
const constraint = z.union([
  z.looseObject({ start_date: day }),
  z.looseObject({ start_time: clock, end_time: clock }),
])
const path = z.union([
  z.string(),
  z.array(z.union([z.string(), z.object({ type: z.string(), field: z.string(), match: rule })])),
])
const extractor = z.looseObject({
  api_flavor: z.string(),
  root: path,
  model_path: path,
  mappings: z.array(z.looseObject({ path, dest: z.string(), required: z.boolean() })),
})
const model = z.looseObject({
  id: z.string(),
  match: rule,
  prices: z.union([
    prices,
    z.array(z.looseObject({ constraint: z.optional(constraint), prices })).check(z.minLength(1)),
  ]),
})
const table = z
  .array(
    z.looseObject({ id: z.string(), models: z.array(model), extractors: z.optional(z.array(extractor)) }),
  )
  .check(z.minLength(1))

/**
 * A table from outside: judged whole before any of it is used, so that a bad one leaves the last good one in place.
 * @returns undefined, or the path of what is wrong
 */
export function faultInTable(value: unknown): string | undefined {
  const issue = table.safeParse(value).error?.issues[0]
  return issue && (issue.path.map(String).join('.') || 'the whole of it')
}

function isPattern(text: string): boolean {
  try {
    return Boolean(new RegExp(text))
  } catch {
    return false
  }
}

const FLAVOURS: Readonly<Record<WireFormat, readonly string[]>> = {
  openai: ['chat', 'default'],
  anthropic: ['anthropic', 'default'],
  gemini: ['default'],
  'workers-ai': ['chat', 'default'],
}
/** Whose format it is: what a provider that the table does not know is taken to speak. */
const HOMES: Readonly<Record<WireFormat, string>> = {
  openai: 'openai',
  anthropic: 'anthropic',
  gemini: 'google',
  'workers-ai': 'openai',
}

/**
 * Usage of an answer in the provider's own words: its own extractor of the format first, then the format's.
 * @param answer as the provider sent it, not as it was translated: a translation forgets cache writes
 */
export function usageOf(
  prices: PriceTable,
  providerId: string,
  format: WireFormat,
  answer: unknown,
  partial = false,
): ReadUsage | undefined {
  if (!isObject(answer)) return undefined
  for (const id of [listedName(providerId), HOMES[format]]) {
    const extractors = prices.find((provider) => provider.id === id)?.extractors ?? []
    for (const flavour of FLAVOURS[format]) {
      const fitting = extractors.find((each) => each.api_flavor === flavour)
      const read = fitting && readUsage(answer, fitting, partial)
      if (read) return read
    }
  }
  return undefined
}

export interface NamedExtractor {
  readonly providerId: string
  readonly extractor: UsageExtractor
}

export const extractorsOf = (prices: PriceTable): readonly NamedExtractor[] =>
  prices.flatMap(({ id, extractors = [] }) => extractors.map((extractor) => ({ providerId: id, extractor })))
