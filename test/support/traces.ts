/** Everything by which a secret could be known again in a text: itself, its halves, and what encodings make of it. */
export function tracesOf(secret: string): readonly string[] {
  const half = Math.floor(secret.length / 2)
  const bytes = Buffer.from(secret)
  // Base64 has three forms, by where in the text the secret begins; the first and last characters depend on the rest.
  const packed = [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64')
    return text.slice(shift === 0 ? 0 : 4, Math.floor(((shift + bytes.length) * 4) / 3) - 1)
  })
  const all = [
    secret,
    secret.slice(0, half),
    secret.slice(half),
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    bytes.toString('hex'),
    ...packed,
    ...packed.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
  ]
  return [...new Set(all)]
}

/** The traces of these secrets in a text, each with what stands before it. */
export const found = (text: string, secrets: readonly string[]): string[] =>
  secrets.flatMap(tracesOf).flatMap((trace) => {
    const at = text.indexOf(trace)
    return at < 0 ? [] : [text.slice(Math.max(0, at - 80), at + trace.length)]
  })
