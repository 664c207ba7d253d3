const encoder = new TextEncoder()
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const BEYOND_ASCII = /[\u0080-\uffff]/

export const utf8 = (text: string): Uint8Array<ArrayBuffer> => encoder.encode(text) as Uint8Array<ArrayBuffer>

/** How many bytes of UTF-8 a text takes. Most is ASCII throughout, of which finding that out is all the work. */
export const byteLength = (text: string): number =>
  BEYOND_ASCII.test(text) ? utf8(text).byteLength : text.length

/** Decodes strictly: malformed UTF-8 throws, and a byte order mark stays in the text. */
export const fromUtf8 = (bytes: Uint8Array): string => strictDecoder.decode(bytes)

interface NativeBase64 {
  toBase64?(options: { alphabet: 'base64url'; omitPadding: true }): string
}

/** RFC 4648 section 5, without padding. */
export function toBase64Url(bytes: Uint8Array): string {
  // Where the engine can do it itself, at a tenth of the cost.
  const native = (bytes as NativeBase64).toBase64?.({ alphabet: 'base64url', omitPadding: true })
  if (native !== undefined) return native
  let binary = ''
  // In slices, because a call takes only so many arguments.
  for (let i = 0; i < bytes.length; i += 0x8000) {
    binary += String.fromCharCode.apply(null, bytes.subarray(i, i + 0x8000) as unknown as number[])
  }
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

const BASE64URL = /^[A-Za-z0-9_-]*$/

/**
 * Strict: one text for one value. `atob` alone would let white space and stray last bits pass.
 * @throws SyntaxError when the text is not base64url
 */
export function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  if (!BASE64URL.test(text)) throw new SyntaxError('not base64url')
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  const bytes = new Uint8Array(binary.length)
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i)
  const lastGroup = bytes.subarray(bytes.length - (bytes.length % 3))
  if (!text.endsWith(toBase64Url(lastGroup))) throw new SyntaxError('not base64url in its one form')
  return bytes
}

export class TooLargeError extends Error {
  override readonly name = 'TooLargeError'
}

/**
 * Reads a whole body, counting as it comes.
 * @param maxBytes where it stops and throws a `TooLargeError`; a stated length is never believed
 */
export async function readBounded(body: ReadableStream<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let total = 0
  const reader = body.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    total += value.byteLength
    if (total > maxBytes) {
      reader.cancel().catch(() => {})
      throw new TooLargeError(`more than ${maxBytes} bytes`)
    }
    chunks.push(value)
  }
  if (chunks.length === 1 && chunks[0]) return chunks[0]
  const whole = new Uint8Array(total)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.byteLength
  }
  return whole
}
