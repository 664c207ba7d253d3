import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import { fromBase64Url, fromUtf8 } from '../src/core/bytes.ts'
import { isObject } from '../src/core/json.ts'

export interface SupabaseAccess {
  readonly url: string
  /**
   * The project's secret key, or the key of a role as `npm run database-keys` makes it: the publishable key, a colon,
   * and a token that names the role.
   */
  readonly key: string
  /** What the operator knows the key as. */
  readonly keyName: string
  readonly timeoutMs: number
  /** Told of each call; settles as the call does. */
  readonly held?: (call: Promise<Response>) => Promise<Response>
}

/**
 * A client a call: nothing of one request's connection state reaches another.
 * @returns a connector that throws where the key is malformed or has expired
 */
export function supabaseConnector(access: SupabaseAccess): () => SupabaseClient {
  const { url, key, keyName, timeoutMs, held = (call) => call } = access
  const [apiKey = '', token] = key.split(':')
  const expiresAtMs = token === undefined ? Number.POSITIVE_INFINITY : expiryOf(token)
  return () => {
    if (!(expiresAtMs > Date.now())) {
      const problem = Number.isNaN(expiresAtMs) ? 'is not a key of this project' : 'has expired'
      throw new Error(`${keyName} ${problem}. Make a new one with: npm run database-keys`)
    }
    return createClient(url, apiKey, {
      auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
      // A repeated call would outlive every deadline here; who asks decides what a failure means.
      db: { retry: false },
      global: {
        fetch: (input, init) => held(fetch(input, { ...init, signal: AbortSignal.timeout(timeoutMs) })),
      },
      ...(token !== undefined && { accessToken: async () => token }),
    })
  }
}

/** Milliseconds since the epoch; NaN where the token is none. Whether it is genuine, the database judges. */
function expiryOf(token: string): number {
  try {
    const claims: unknown = JSON.parse(fromUtf8(fromBase64Url(token.split('.')[1] ?? '')))
    return isObject(claims) ? Number(claims.exp ?? Number.POSITIVE_INFINITY) * 1_000 : Number.NaN
  } catch {
    return Number.NaN
  }
}
