import type { Adapter, WireFormat } from './adapter.ts'
import { anthropic } from './adapters/anthropic/index.ts'
import { gemini } from './adapters/gemini/index.ts'
import { openai } from './adapters/openai.ts'
import { workersAi } from './adapters/workers-ai/index.ts'

const ADAPTERS = { openai, anthropic, gemini, 'workers-ai': workersAi } as const satisfies Record<
  WireFormat,
  Adapter
>

export const adapterFor = (format: WireFormat): Adapter => ADAPTERS[format]
