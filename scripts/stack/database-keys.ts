import { createHmac, createPrivateKey, type JsonWebKey, sign } from 'node:crypto'
import { OperatorError } from './operator-error.ts'

/** The database roles of the workers, by the secret that each worker knows its key as. */
export const WORKER_ROLES = {
  SUPABASE_RECORDER_KEY: 'beast_recorder',
  SUPABASE_KEEPER_KEY: 'beast_keeper',
  SUPABASE_READER_KEY: 'beast_reader',
} as const
export type KeyName = keyof typeof WORKER_ROLES

/** A JWT as the project's own, and so what its REST surface believes. */
export type Signer = (claims: Readonly<Record<string, unknown>>) => string

const DAY_S = 86_400
const MIN_SECRET_LENGTH = 32

/**
 * @param key a private key as JWK (ES256, RS256), alone or the first of a list, or the project's JWT secret (HS256)
 * @throws OperatorError when it is none of them
 */
export function signerOf(key: string): Signer {
  const text = key.trim()
  if (!/^[[{]/.test(text)) {
    if (text.length < MIN_SECRET_LENGTH)
      throw new OperatorError(`The signing key is shorter than ${MIN_SECRET_LENGTH} characters.`)
    return (claims) =>
      jwt({ alg: 'HS256' }, claims, (data) => createHmac('sha256', text).update(data).digest())
  }
  try {
    const parsed = JSON.parse(text)
    const jwk: JsonWebKey & { readonly kid?: string } = Array.isArray(parsed) ? parsed[0] : parsed
    const header = jwk.kid === undefined ? {} : { kid: jwk.kid }
    const privateKey = createPrivateKey({ key: jwk, format: 'jwk' })
    const alg = jwk.kty === 'RSA' ? 'RS256' : jwk.crv === 'P-256' ? 'ES256' : undefined
    if (alg === undefined) throw new Error('of another kind')
    return (claims) =>
      jwt({ alg, ...header }, claims, (data) =>
        sign('sha256', Buffer.from(data), { key: privateKey, dsaEncoding: 'ieee-p1363' }),
      )
  } catch {
    throw new OperatorError(
      'The signing key is no private key. Use what "supabase gen signing-key --algorithm ES256" makes, or the JWT secret.',
    )
  }
}

/** What a worker gets as its secret: the publishable key, by which the project is met, and the token of its role. */
export function databaseKey(
  name: KeyName,
  publishableKey: string,
  signer: Signer,
  { nowMs, days }: { readonly nowMs: number; readonly days: number },
): string {
  const iat = Math.floor(nowMs / 1_000)
  return `${publishableKey}:${signer({ role: WORKER_ROLES[name], iat, exp: iat + days * DAY_S })}`
}

/** All of them, for a stack whose workers run together. */
export const databaseKeys = (
  publishableKey: string,
  signer: Signer,
  life: { readonly nowMs: number; readonly days: number },
): Record<KeyName, string> => ({
  SUPABASE_RECORDER_KEY: databaseKey('SUPABASE_RECORDER_KEY', publishableKey, signer, life),
  SUPABASE_KEEPER_KEY: databaseKey('SUPABASE_KEEPER_KEY', publishableKey, signer, life),
  SUPABASE_READER_KEY: databaseKey('SUPABASE_READER_KEY', publishableKey, signer, life),
})

function jwt(header: object, claims: object, signature: (data: string) => Buffer): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const data = `${part({ ...header, typ: 'JWT' })}.${part(claims)}`
  return `${data}.${signature(data).toString('base64url')}`
}
