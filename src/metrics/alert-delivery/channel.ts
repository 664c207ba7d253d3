import type { Fetch } from '../../providers/fetch.ts'
import type { Notice } from '../alert-notices.ts'
import type { Channel } from '../alert-rules.ts'

/** What became of one attempt. `why` is for the operator and holds no secret. */
export type Attempt =
  | { readonly outcome: 'delivered' }
  /** The same would be refused again. */
  | { readonly outcome: 'refused'; readonly why: string }
  | { readonly outcome: 'failed'; readonly why: string; readonly retryAfterMs: number }

/** A channel that is configured, or why it is off. */
export type Line = { readonly off: string } | { readonly send: (notice: Notice) => Promise<Attempt> }
export type Lines = Readonly<Record<Channel, Line>>

export interface LineIo {
  readonly fetch: Fetch
  /** For one attempt. */
  readonly timeoutMs: number
}

export interface Post {
  /** Who is called, for the operator. */
  readonly name: string
  /** What to look at where it refuses. */
  readonly setting: string
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body: object
}

/** It is about what was sent. Anything else, a wrong secret too, may be mended in time for a later attempt. */
const REFUSALS = [400, 413, 422]

/** Posts JSON. Never rejects. The address may itself be the secret, so nothing that was thrown or answered is told. */
export async function post(
  { fetch, timeoutMs }: LineIo,
  { name, setting, url, headers, body }: Post,
): Promise<Attempt> {
  let response: Response
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
      // Where it sends us on to, the secret does not follow.
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    })
  } catch (error) {
    const isLate = error instanceof Error && error.name === 'TimeoutError'
    return failed(isLate ? `${name} did not answer within ${timeoutMs} ms.` : `${name} cannot be reached.`)
  }
  await response.body?.cancel().catch(() => {})
  const { ok, status } = response
  if (ok) return DELIVERED
  const isOurs = status < 500 && status !== 429
  const why = `${name} answered ${status}${isOurs ? `: look at ${setting}` : ''}.`
  if (REFUSALS.includes(status)) return { outcome: 'refused', why }
  return failed(why, retryAfterMs(response.headers))
}

/** An address as configured; the scheme may be plain http only on this machine. */
export function isAddress(text: string): boolean {
  const url = URL.parse(text)
  return url?.protocol === 'https:' || (url?.protocol === 'http:' && url.hostname === '127.0.0.1')
}

const DELIVERED: Attempt = { outcome: 'delivered' }
const failed = (why: string, retryAfterMs = 0): Attempt => ({ outcome: 'failed', why, retryAfterMs })

const LONGEST_WAIT_S = 3_600
function retryAfterMs(headers: Headers): number {
  const seconds = Number(headers.get('retry-after') ?? 0)
  return seconds > 0 ? Math.min(seconds, LONGEST_WAIT_S) * 1_000 : 0
}
