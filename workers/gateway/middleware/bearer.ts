const BEARER = /^bearer +(\S+)$/i

/** The credential of an `Authorization: Bearer` header; undefined where there is none of that form. */
export function bearer(headers: Headers): string | undefined {
  const header = headers.get('authorization')
  if (header === null) return undefined
  // The form that every client sends, without a regular expression.
  if (header.startsWith('Bearer bm_live_') && !header.includes(' ', 7) && !header.includes(','))
    return header.slice(7)
  return BEARER.exec(header)?.[1]
}
