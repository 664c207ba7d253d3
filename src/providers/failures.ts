import { readBounded } from '../core/bytes.ts'
import { GatewayError } from '../core/errors.ts'
import { isObject, parseJson } from '../core/json.ts'

const MAX_ERROR_BYTES = 64_000
/** What may be repeated of a provider's error: short, and without room for a key, an address or prose. */
const HARMLESS = /^[a-z][a-z0-9_.[\]]{0,63}$/

/** No answer came: refused, unresolved, or broken off. */
export function unreachable(provider: string, cause: unknown): GatewayError {
  return new GatewayError(
    'upstream_unreachable',
    `The provider "${provider}" could not be reached.`,
    'Try again shortly or choose another model; if it lasts, its address or network needs a look by whoever runs this gateway.',
    { cause },
  )
}

export const tooSlow = (provider: string, ms: number): GatewayError =>
  new GatewayError(
    'upstream_timeout',
    `The provider "${provider}" sent nothing for ${Math.round(ms / 1_000)} s.`,
    'Try again, ask for fewer tokens, or choose a faster model.',
  )

export const cutOff = (provider: string): GatewayError =>
  new GatewayError(
    'upstream_cut_off',
    `The provider "${provider}" broke off its answer; what came so far is not complete.`,
    'Send the request again; do not use the partial answer as if it were whole.',
  )

export const invalidAnswer = (provider: string): GatewayError =>
  new GatewayError(
    'upstream_invalid',
    `The provider "${provider}" sent an answer that is not a chat completion.`,
    'Try again or choose another model; if it lasts, whoever runs this gateway should check the base URL.',
  )

/**
 * An answer that is not 2xx, as an error of ours. The provider's own text may hold a key or an address, so
 * only the name of a field is taken over from it. A provider that refuses *our* key is not the caller's 401.
 */
export async function refusal(provider: string, response: Response): Promise<GatewayError> {
  const { status } = response
  const said = await readError(response)
  if (status === 401 || status === 403) {
    return new GatewayError(
      'upstream_refused_access',
      `The provider "${provider}" refused this gateway's own credentials (status ${status}).`,
      'Ask whoever runs this gateway to check the key of this provider; yours is fine.',
    )
  }
  if (status === 429) {
    return new GatewayError(
      'upstream_rate_limited',
      `The provider "${provider}" limits how fast it may be asked (status 429).`,
      'Wait for the time given in Retry-After, or choose another model.',
      { retryAfterSeconds: retryAfter(response) ?? 1 },
    )
  }
  if (status >= 400 && status < 500 && status !== 408) {
    return new GatewayError(
      'upstream_rejected',
      `The provider "${provider}" did not accept this request (status ${status}${said.code ? `, ${said.code}` : ''}).`,
      'Check the request against what this model supports; the field named in "param", where there is one, is a good start.',
      { param: said.param },
    )
  }
  return new GatewayError(
    'upstream_failed',
    `The provider "${provider}" failed (status ${status}).`,
    'Try again shortly or choose another model.',
    { retryAfterSeconds: retryAfter(response) },
  )
}

async function readError(response: Response): Promise<{ param?: string; code?: string }> {
  if (!response.body) return {}
  try {
    const body = parseJson(await readBounded(response.body, MAX_ERROR_BYTES))
    const error = isObject(body) && isObject(body.error) ? body.error : {}
    const harmless = (value: unknown) =>
      typeof value === 'string' && HARMLESS.test(value) ? value : undefined
    const [param, code] = [harmless(error.param), harmless(error.code)]
    return { ...(param && { param }), ...(code && { code }) }
  } catch {
    return {}
  }
}

function retryAfter(response: Response): number | undefined {
  const header = response.headers.get('retry-after')
  return header && /^\d{1,6}$/.test(header) ? Number(header) : undefined
}
