import { GatewayError } from '../core/errors.ts'
import { isPublicIpv4, isPublicIpv6 } from './address-ranges.ts'
import type { Fetch } from './fetch.ts'
import { isPublicName, leadsInside } from './host-names.ts'
import { addressRefused, hostKind, plainUrl, USE_HTTPS } from './plain-url.ts'

/**
 * Which addresses the gateway may call. What a name resolves to cannot be seen here: inside a Worker only `fetch`
 * resolves. A public name that points inside (DNS rebinding) is stopped by Cloudflare's network, which connects to
 * no private address; a gateway that runs on another network needs its way out filtered there.
 */
export interface AddressPolicy {
  /**
   * @param param the request field that the address came in, for the error
   * @returns the address as it was judged: call this, not the text
   * @throws GatewayError `address_refused`
   */
  check(url: string, param?: string): URL
}

/** Entries are exact: `llm.example.com:8443`; one without a port means 443. */
export interface ProductionAddresses {
  /** The operator's own list. Opens a port, or a name that public DNS does not know; never an address inside. */
  readonly allowedHosts?: readonly string[]
}

export interface DevelopmentAddresses extends ProductionAddresses {
  /** `127.0.0.1:11434`, `localhost:8080`, `[::1]:8080`: over http and https. */
  readonly loopback: readonly string[]
}

/** Public https, and the operator's list. @throws GatewayError `misconfigured` when an entry can open nothing */
export const productionPolicy = (options: ProductionAddresses = {}): AddressPolicy =>
  policy(options.allowedHosts ?? [], [])

/** As in production, and exactly the loopback addresses listed. @throws GatewayError `misconfigured` */
export const developmentPolicy = (options: DevelopmentAddresses): AddressPolicy =>
  policy(options.allowedHosts ?? [], options.loopback)

/**
 * A fetch that connects only where the policy allows. It follows no redirect, wherever that leads: the key would
 * travel past the policy.
 */
export function guardedFetch(fetch: Fetch, policy: AddressPolicy): Fetch {
  return async (url, init) => {
    const { href } = policy.check(url)
    const response = await fetch(href, { ...init, redirect: 'manual' })
    if (response.status < 300 || response.status > 399) return response
    response.body?.cancel().catch(() => {})
    throw addressRefused(
      `it answers with a redirect (status ${response.status}), and none is followed`,
      'Give the address that answers itself.',
    )
  }
}

function policy(allowedHosts: readonly string[], loopback: readonly string[]): AddressPolicy {
  const allowed = new Set(allowedHosts.map(allowedPlace))
  const local = new Set(loopback.map(loopbackPlace))
  return {
    check: (text, param = 'url') => {
      const url = plainUrl(text, param)
      const place = placeOf(url)
      if (local.has(place)) return url
      if (url.protocol !== 'https:') throw addressRefused('it is not https', USE_HTTPS, param)
      const { hostname: host, port } = url
      if (isInside(host))
        throw addressRefused(`${host} is inside a machine or a private network`, GO_PUBLIC, param)
      if (allowed.has(place)) return url
      if (hostKind(host) === 'name' && !isPublicName(host))
        throw addressRefused(`${host} is not a public name`, GO_PUBLIC, param)
      if (port !== '') throw addressRefused(`port ${port} of ${host} is not open`, ASK_FOR_PORT, param)
      return url
    },
  }
}

const GO_PUBLIC = 'Use the address of a server on the public internet.'
const ASK_FOR_PORT = 'Use port 443, or ask whoever runs this gateway to allow this host and port.'

/** Whether the host leads to where no list may lead. */
function isInside(host: string): boolean {
  const kind = hostKind(host)
  if (kind === 'name') return leadsInside(host)
  return kind === 'ipv4' ? !isPublicIpv4(host) : !isPublicIpv6(host.slice(1, -1))
}

/** Host and port, the default port written out. */
const placeOf = (url: URL): string => `${url.hostname}:${url.port || (url.protocol === 'https:' ? 443 : 80)}`

const HOST_ENTRY = /^[^/?]+$/
const LOOPBACK_ENTRY = /^(?:127\.0\.0\.1|localhost|\[::1\]):[1-9]\d{0,4}$/

function allowedPlace(entry: string, index: number): string {
  try {
    const url = plainUrl(`https://${entry}`, '')
    if (HOST_ENTRY.test(entry) && !isInside(url.hostname)) return placeOf(url)
  } catch {
    // Told below, in the operator's terms.
  }
  throw badEntry('allowed hosts', index, 'a public host or host:port')
}

function loopbackPlace(entry: string, index: number): string {
  if (LOOPBACK_ENTRY.test(entry) && URL.canParse(`http://${entry}`))
    return placeOf(new URL(`http://${entry}`))
  throw badEntry('loopback addresses', index, 'of the form 127.0.0.1:port')
}

/** Every caller can read it, and what stands in a wrong entry may be a secret: it is named by its place. */
const badEntry = (list: string, index: number, form: string) =>
  new GatewayError(
    'misconfigured',
    `The gateway is not configured: entry ${index + 1} of its list of ${list} is not ${form}.`,
    'Correct the entry or take it out, and deploy again.',
  )
