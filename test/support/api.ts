export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: read as each test expects it
  readonly body: any
}

export type Api = (key: string | undefined, method: string, path: string, body?: unknown) => Promise<Answer>

export const MODELS = '/api/models/custom'
export const ALIASES = '/api/models/aliases'
export const PROVIDER_KEYS = '/api/models/provider-keys'

/** Calls of a gateway's JSON routes. */
export const apiAt =
  (url: string): Api =>
  async (key, method, path, body) => {
    const response = await fetch(url + path, {
      method,
      headers: { 'content-type': 'application/json', ...(key && { authorization: `Bearer ${key}` }) },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    return answerOf(response)
  }

/** The whole of an answer; its body is undefined where it is no JSON. */
export async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, body: parsed(text) }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export const codeOf = ({ status, body }: Answer) => [status, body.error?.code]
export const routeOf = ({ headers }: Answer): string => headers.get('x-beast-route') ?? ''
export const isHit = ({ headers }: Answer): boolean => /; hit/.test(headers.get('cache-status') ?? '')

/** What was asked of a provider's models, oldest first. */
export const chatsAt = <T extends { readonly method: string }>({
  requests,
}: {
  readonly requests: readonly T[]
}): T[] => requests.filter(({ method }) => method === 'POST')
export const lastBody = (server: { readonly requests: readonly { method: string; body: string }[] }) =>
  JSON.parse(chatsAt(server).at(-1)?.body ?? '{}')
