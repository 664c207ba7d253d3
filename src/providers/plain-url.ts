import { GatewayError } from '../core/errors.ts'

const MAX_LENGTH = 2_048
const MAX_HOST_LENGTH = 253
/** Printable ASCII without the backslash, which URL parsers take for a slash. */
const PRINTABLE = /^[!-[\]-~]+$/
const SCHEME = /^https?:/i
/** Scheme, host and port with nothing else before the path: no user, no encoded characters. */
const FORM = /^https?:\/\/(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?(?:[/?]|$)/i
/** Labels of letters, digits, hyphens and underscores; none is empty, so no dot ends the name. */
const NAME = /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const IPV4 = /^\d+\.\d+\.\d+\.\d+$/

export type HostKind = 'name' | 'ipv4' | 'ipv6'

/** @param host of a parsed URL */
export function hostKind(host: string): HostKind {
  if (host.startsWith('[')) return 'ipv6'
  return IPV4.test(host) ? 'ipv4' : 'name'
}

/**
 * Reads an http or https address that means the same to every parser.
 * @throws GatewayError `address_refused`
 */
export function plainUrl(text: string, param: string): URL {
  const refuse = (what: string, tip: string) => addressRefused(what, tip, param)
  if (text.length > MAX_LENGTH) throw refuse(`it is longer than ${MAX_LENGTH} characters`, SHORTEN)
  if (!SCHEME.test(text)) throw refuse('it is not https', USE_HTTPS)
  if (!PRINTABLE.test(text)) throw refuse('it holds characters that do not belong in one', ENCODE)
  if (text.includes('#')) throw refuse('it has a fragment', 'Leave out "#" and what follows it.')
  const written = FORM.exec(text)?.[1]?.toLowerCase()
  if (!written || !URL.canParse(text)) throw refuse(ODD_HOST, WRITE_PLAINLY)
  const url = new URL(text)
  const host = url.hostname
  const kind = hostKind(host)
  // Parsing turns 0177.1 and 2130706433 into 127.0.0.1. Nobody needs to write an address so.
  const same = kind === 'ipv6' || host === written
  const named = kind !== 'name' || (NAME.test(host) && host.length <= MAX_HOST_LENGTH)
  if (!same || !named) throw refuse(ODD_HOST, WRITE_PLAINLY)
  return url
}

export const USE_HTTPS = 'Use an address that begins with https://.'
const SHORTEN = 'Use a shorter address.'
const ENCODE = 'Write it in ASCII, percent-encoded where it needs to be.'
const ODD_HOST = 'its host is not written in plain form'
const WRITE_PLAINLY =
  'Write https://host/path: a name or four decimal numbers as the host, no user name, no dot at its end.'

/** Says nothing of the address but what `what` says. */
export function addressRefused(what: string, tip: string, param?: string): GatewayError {
  return new GatewayError('address_refused', `The address of the model is refused: ${what}.`, tip, { param })
}
