import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect } from 'vitest'
import { GatewayError } from '../../src/core/errors.ts'
import { type AddressPolicy, productionPolicy } from '../../src/providers/address-policy.ts'
import { SHARED_DATA } from './require.ts'

/** The refusal of an address, checked for its shape. */
export function refusalOf(url: string, policy: AddressPolicy = productionPolicy()): GatewayError {
  try {
    policy.check(url, 'endpoint')
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    const { code, status, fault, param } = error
    expect([code, status, fault, param]).toEqual(['address_refused', 400, 'caller', 'endpoint'])
    expect(error.tip.length).toBeGreaterThan(10)
    return error
  }
  throw new Error(`accepted: ${url}`)
}

const words = (text: string): readonly string[] => text.trim().split(/\s+/)

export const GOOD = words(`
  https://api.openai.com/v1 https://API.OpenAI.com/v1 https://api.openai.com:443/v1 https://api.openai.com
  https://xyz.openai.azure.com/openai/deployments/gpt/chat/completions?api-version=2024-10-21
  https://generativelanguage.googleapis.com/v1beta/openai https://a_b.eu-west-1.amazonaws.com/
  https://xn--bcher-kva.com/v1 https://8.8.8.8/v1 https://172.32.0.1/v1 https://100.128.0.1/v1
  https://[2606:4700::1111]/ https://[2001:4860:4860:0:0::8888]/v1 https://${'a'.repeat(63)}.com/v1
  https://local.example.com/v1 https://nip.io.example.com/v1 https://mylvh.me/v1 https://xlocalhost.dev/v1
  https://thelocal.com/v1 https://api.openai.com.evil.com/v1`)

/** What no policy accepts that lists nothing, by what is wrong with it. */
export const BAD: Readonly<Record<string, readonly string[]>> = {
  'IPv4 addresses inside': words(`
    https://127.0.0.1/v1 https://169.254.169.254/ https://10.1.2.3/ https://0.0.0.0/ https://168.63.129.16/
    https://100.100.100.200/ https://192.0.0.192/ https://172.31.255.255/ https://255.255.255.255/`),
  'IPv6 addresses inside': words(`
    https://[::]/ https://[::1]/ https://[0:0:0:0:0:0:0:1]/ https://[fc00::1]/ https://[fdff::1]/
    https://[fd00:ec2::254]/ https://[fe80::1]/ https://[febf::1]/ https://[fec0::1]/ https://[ff02::1]/
    https://[100::1]/ https://[5f00::1]/ https://[4000::1]/ https://[3fff::1]/ https://[2001:db8::1]/
    https://[3ffe::1]/ https://[2620:4f:8000::1]/ https://[2001:20::1]/`),
  'IPv4 inside IPv6': words(`
    https://[::ffff:127.0.0.1]/ https://[::ffff:8.8.8.8]/ https://[::127.0.0.1]/ https://[64:ff9b::7f00:1]/
    https://[64:ff9b::169.254.169.254]/ https://[64:ff9b:1::a00:1]/ https://[2002:7f00:1::]/
    https://[2002:a9fe:a9fe::1]/ https://[2001::7f00:1]/ https://[2001:0:4136:e378::1]/
    https://[::ffff:0:127.0.0.1]/`),
  'IPv6 with a zone, or none at all': words(`
    https://[fe80::1%25eth0]/ https://[2606:4700::1111%eth0]/ https://[2606:4700::1111 https://[]/`),
  'names inside': words(`
    https://localhost/ https://LocalHost/ https://a.b.localhost/ https://printer.local/ https://db.internal/
    https://nas.home.arpa/ https://1.0.0.127.in-addr.arpa/ https://x.onion/ https://router.lan/ https://intranet/
    https://kubernetes.default.svc/ https://a.svc.cluster.local/ https://host.docker.internal/ https://com/
    https://vault.service.consul/ https://x.test/ https://x.invalid/`),
  'names of metadata services': words(`
    https://metadata.google.internal/ https://metadata/ https://metadata.goog/ https://x.metadata.goog/
    https://metadata.tencentyun.com/`),
  'public names that lead inside': words(`
    https://nip.io/ https://127.0.0.1.nip.io/ https://app-10-0-0-1.sslip.io/ https://x.localtest.me/
    https://lvh.me/ https://x.LVH.me/ https://7f000001.c0a80001.rbndr.us/ https://make-127-0-0-1-rr.1u.ms/
    https://127-0-0-1.abc.plex.direct/`),
  'trailing dots and empty labels': words(`
    https://api.openai.com./ https://api.openai.com.:443/ https://localhost./ https://8.8.8.8./
    https://api.openai.com../ https://api..openai.com/ https://.openai.com/ https://./`),
  users: words(`
    https://user@api.openai.com/ https://user:pass@api.openai.com/ https://@api.openai.com/
    https://:@api.openai.com/ https://api.openai.com:443@evil.com/ https://api.openai.com%40evil.com/`),
  'other schemes': words(`
    http://api.openai.com/v1 HTTP://api.openai.com ftp://api.openai.com/ ws://api.openai.com/
    wss://api.openai.com/ file:///etc/passwd javascript:alert(1) data:text/plain,hi gopher://api.openai.com/
    blob:https://api.openai.com/1 //api.openai.com/v1 api.openai.com/v1 /v1 x`).concat(''),
  ports: words(`
    https://api.openai.com:8443/ https://api.openai.com:22/ https://api.openai.com:80/ https://api.openai.com:0/
    https://api.openai.com:65536/ https://api.openai.com:443443/ https://api.openai.com:/
    https://api.openai.com:-1/ https://api.openai.com:x/`),
  fragments: words(`
    https://api.openai.com/v1#x https://api.openai.com/# https://api.openai.com#@evil.com/`),
  'second meanings': words(String.raw`
    https:/api.openai.com/ https:api.openai.com https:///api.openai.com/ https://api.openai.com\@127.0.0.1/
    https:\\api.openai.com/ https://api.openai.com\.evil.com/ https://%61pi.openai.com/ https://ａpi.openai.com/
    https://api。openai.com/ https://api.openai.com%00.evil.com/ https://api.openai.com%2f@evil.com/
    https://134744072/ https://8.8/ https://08.8.8.8/ https://1.2.3.256/ https://a"b.com/ https://a,b.com/
    https://-a.com/ https://a-.com/ https://api.openai.com/\x`),
  'control characters, spaces and what is not ASCII': [
    ' https://api.openai.com/',
    'https://api.openai.com/ ',
    'https://api.openai.com/\r\nx: y',
    'https://api.\topenai.com/',
    'https://api.openai.com/\0',
    'ht\ntps://api.openai.com/',
    'https://api.openai.com/\u202e',
    'https://api.openai.com/ü',
    'https://\u00adlocalhost/',
    'https://api.openai.com/\ud800',
  ],
  'what is too long': [
    `https://api.openai.com/${'a'.repeat(2_048)}`,
    `https://${'a.'.repeat(130)}com/`,
    `https://${'a'.repeat(64)}.com/`,
  ],
}

/** The published list, where it is here. */
export const hostileUrls = (): readonly string[] =>
  readFileSync(join(SHARED_DATA, 'hostile-urls.txt'), 'utf8')
    .split('\n')
    .filter((line) => line && !line.startsWith('#'))

const INSIDE_V4 = words(`
  0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 168.63.129.16/32 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24
  192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4`)

export const ipv4Number = (text: string): number =>
  text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
const ipv4Bytes = (address: number) => [24, 16, 8, 0].map((shift) => (address >>> shift) & 255)
export const dotted = (address: number): string => ipv4Bytes(address).join('.')

/** Any IPv4 address of the ranges that are not public. */
export const insideIpv4: fc.Arbitrary<number> = fc
  .tuple(fc.constantFrom(...INSIDE_V4), fc.nat({ max: 2 ** 31 - 1 }), fc.boolean())
  .map(([range, random, high]) => {
    const [base = '', bits] = range.split('/')
    return ipv4Number(base) + ((random * 2 + Number(high)) % 2 ** (32 - Number(bits)))
  })

/** The ways in which URL parsers read one IPv4 address. */
export function notations(address: number): readonly string[] {
  const bytes = ipv4Bytes(address)
  const [a = 0, b = 0] = bytes
  const hex = (value: number) => `0x${value.toString(16)}`
  const octal = (value: number) => `0${value.toString(8)}`
  const digits = (write: (digit: number) => string) =>
    dotted(address).replace(/\d/g, (digit) => write(Number(digit)))
  return [
    dotted(address),
    `${dotted(address)}.`,
    `${address}`,
    hex(address),
    `0X${address.toString(16).toUpperCase()}`,
    octal(address),
    bytes.map(hex).join('.'),
    bytes.map(octal).join('.'),
    `${a}.${address % 2 ** 24}`,
    `${a}.${b}.${address % 2 ** 16}`,
    `${hex(a)}.${octal(b)}.${address % 2 ** 16}`,
    digits((digit) => (digit === 0 ? '⓪' : String.fromCodePoint(0x245f + digit))),
    digits((digit) => String.fromCodePoint(0xff10 + digit)),
    digits((digit) => `%3${digit}`),
  ]
}

/** The IPv6 addresses that carry an IPv4 address in them. */
export function carriers(address: number): readonly string[] {
  const [high, low] = [(address >>> 16).toString(16), (address & 0xffff).toString(16)]
  const prefixed = ['::ffff:', '::', '::ffff:0:', '64:ff9b::', '64:ff9b:1::'].flatMap((prefix) => [
    `${prefix}${high}:${low}`,
    `${prefix}${dotted(address)}`,
  ])
  return [...prefixed, `2002:${high}:${low}::1`, `2001:0:${high}:${low}::1`]
}
