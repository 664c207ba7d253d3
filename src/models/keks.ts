import { fromBase64Url } from '../core/bytes.ts'
import { GatewayError } from '../core/errors.ts'

/** The key encryption keys, under which the data keys of sealed provider keys are wrapped. */
export interface Keks {
  /** By the name of the secret that holds it, its `kid`. */
  readonly keks: ReadonlyMap<string, Uint8Array<ArrayBuffer>>
  /** What is sealed from now on is wrapped under it. */
  readonly currentKid: string
}

export const KEK_BYTES = 32
const KEK_NAME = /^KEK_([1-9]\d{0,3})$/
/** Of 32 random bytes fewer are alike: what has less variety was typed, not drawn. */
const MIN_DIFFERENT_BYTES = 16

/**
 * Reads KEK_1, KEK_2 and so on: 32 random bytes each, as base64url. The highest number is current. Other names are
 * not looked at.
 * @throws GatewayError `misconfigured` when none is set, and when one is malformed or given twice
 */
export function keksFrom(secrets: Readonly<Record<string, unknown>>): Keks {
  const keks = new Map<string, Uint8Array<ArrayBuffer>>()
  const seen = new Set<string>()
  let current = 0
  for (const [name, value] of Object.entries(secrets)) {
    if (!/^KEK_\d/.test(name) || value === undefined) continue
    const number = Number(KEK_NAME.exec(name)?.[1])
    if (Number.isNaN(number)) throw badKek(name, 'is not numbered 1 to 9999 without leading zeros')
    const bytes = kekBytes(value)
    if (!bytes) throw badKek(name, `is not ${KEK_BYTES} random bytes as base64url`)
    if (seen.has(String(value))) throw badKek(name, 'is the same as another one')
    seen.add(String(value))
    keks.set(name, bytes)
    current = Math.max(current, number)
  }
  if (keks.size === 0) throw badKek('KEK_1', 'is not set')
  return { keks, currentKid: `KEK_${current}` }
}

function kekBytes(value: unknown): Uint8Array<ArrayBuffer> | undefined {
  if (typeof value !== 'string') return undefined
  try {
    const bytes = fromBase64Url(value)
    return bytes.length === KEK_BYTES && new Set(bytes).size >= MIN_DIFFERENT_BYTES ? bytes : undefined
  } catch {
    return undefined
  }
}

export const badKek = (kid: string, problem: string) =>
  new GatewayError(
    'misconfigured',
    `The gateway is not configured: the secret ${kid} ${problem}.`,
    `Set ${kid} to 32 random bytes as base64url (wrangler secret put ${kid}) and deploy again.`,
  )
