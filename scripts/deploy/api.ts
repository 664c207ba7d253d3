import { OperatorError } from '../stack/operator-error.ts'

/** An answer that is no success, as the vendor words it. */
export class ApiError extends OperatorError {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export interface Api {
  /** Whose it is, for messages: `Cloudflare`. */
  readonly vendor: string
  readonly baseUrl: string
  readonly token: string
  /** Where a token comes from and what it must be allowed to do. */
  readonly tokenHelp: string
}

const TIMEOUT_MS = 60_000

/** @throws ApiError for an answer that is no success, OperatorError when nobody answers */
export async function callApi(
  { vendor, baseUrl, token, tokenHelp }: Api,
  method: string,
  path: string,
  body?: object,
): Promise<unknown> {
  let response: Response
  try {
    response = await fetch(`${baseUrl}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(body && { body: JSON.stringify(body) }),
    })
  } catch {
    throw new OperatorError(`${vendor} does not answer at ${baseUrl}. Check the network, then run it again.`)
  }
  const answer: unknown = await response.json().catch(() => undefined)
  if (response.ok) return answer
  const said = messageOf(answer) ?? `HTTP ${response.status}`
  if (response.status === 401 || response.status === 403)
    throw new ApiError(
      response.status,
      `${vendor} refuses the token: ${said} (${method} ${path}). ${tokenHelp}`,
    )
  throw new ApiError(response.status, `${vendor} refuses ${method} ${path}: ${said}`)
}

/** What stands in Cloudflare's `errors` or Supabase's `message`. */
function messageOf(answer: unknown): string | undefined {
  if (typeof answer !== 'object' || answer === null) return undefined
  if ('errors' in answer && Array.isArray(answer.errors) && answer.errors.length > 0)
    return answer.errors.map((error: { message?: string }) => error.message ?? 'no reason given').join('; ')
  return 'message' in answer && typeof answer.message === 'string' ? answer.message : undefined
}
