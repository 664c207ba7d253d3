import type { Fetch } from '../../src/providers/fetch.ts'

/** The part of the binding `env.AI` that is used here. */
export interface WorkersAiBinding {
  run(model: string, inputs: object, options: WorkersAiOptions): Promise<Response>
}

interface WorkersAiOptions {
  /** The answer with its status as it came; otherwise the binding reads it, and throws. */
  readonly returnRawResponse: true
  readonly signal?: AbortSignal
}

/** Where the binding lies, as a base URL: of a scheme that no tenant's address can have, see `plainUrl`. */
export const WORKERS_AI_URL = 'workers-ai:'

/** Text models of the platform; the variable WORKERS_AI_MODELS names others. */
export const WORKERS_AI_MODELS: readonly string[] = [
  '@cf/zai-org/glm-4.7-flash',
  '@cf/google/gemma-4-26b-a4b-it',
  '@cf/openai/gpt-oss-120b',
]

/** What is asked at `workers-ai:` goes to the binding, everything else to the network. */
export function withWorkersAi(fetch: Fetch, binding: WorkersAiBinding | undefined): Fetch {
  if (!binding) return fetch
  return (url, init) => (url.startsWith(WORKERS_AI_URL) ? run(binding, url, init) : fetch(url, init))
}

async function run(binding: WorkersAiBinding, url: string, init: RequestInit): Promise<Response> {
  const model = decodeURIComponent(url.slice(WORKERS_AI_URL.length + 1))
  const inputs = JSON.parse(String(init.body)) as { readonly stream?: unknown }
  const options = { returnRawResponse: true, ...(init.signal && { signal: init.signal }) } as const
  try {
    const response = await binding.run(model, inputs, options)
    return response.ok && inputs.stream === true ? asEventStream(response) : response
  } catch (cause) {
    const code = codeOf(cause)
    // Without a code it is the way there that failed, or the caller who left.
    if (code === undefined) throw cause
    return Response.json({ errors: [{ code }] }, { status: STATUS.get(code) ?? 500 })
  }
}

/** The binding promises a stream and says nothing of its type. */
function asEventStream(response: Response): Response {
  if (response.headers.get('content-type')?.includes('json')) return response
  const headers = new Headers(response.headers)
  headers.set('content-type', 'text/event-stream')
  return new Response(response.body, { status: response.status, headers })
}

/** An error that is thrown reads `3040: Capacity temporarily exceeded`, its name before it or not. */
const CODE = /(?:^|\s)([35]\d{3}): /

const codeOf = (cause: unknown): number | undefined => {
  const code = cause instanceof Error ? CODE.exec(cause.message)?.[1] : undefined
  return code === undefined ? undefined : Number(code)
}

/**
 * The statuses that belong to the platform's codes.
 * @see https://developers.cloudflare.com/workers-ai/platform/errors/
 */
const STATUS: ReadonlyMap<number, number> = new Map([
  [3003, 400],
  [3006, 413],
  [3007, 408],
  [3008, 408],
  [3023, 403],
  [3036, 429],
  [3039, 400],
  [3040, 429],
  [3041, 403],
  [3042, 404],
  [5004, 400],
  [5005, 405],
  [5006, 400],
  [5007, 400],
  [5016, 403],
  [5018, 403],
  [5019, 405],
  [5021, 400],
])
