/** Addresses and how many of their leading bits count, as IANA's registry of special IPv4 addresses has them. */
const SPECIAL_V4 = [
  '0.0.0.0/8', // this network
  '10.0.0.0/8', // private
  '100.64.0.0/10', // carriers' NAT; Alibaba's metadata lie here
  '127.0.0.0/8', // loopback
  '168.63.129.16/32', // Azure's own agent: it looks public, and answers inside only
  '169.254.0.0/16', // link-local, and most clouds' metadata
  '172.16.0.0/12', // private
  '192.0.0.0/24', // protocol assignments; Oracle's metadata lie here
  '192.0.2.0/24', // documentation
  '192.31.196.0/24', // AS112
  '192.52.193.0/24', // AMT relays
  '192.88.99.0/24', // 6to4 relays
  '192.168.0.0/16', // private
  '192.175.48.0/24', // AS112
  '198.18.0.0/15', // benchmarks
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, broadcast
].map((range) => {
  const [base = '', bits] = range.split('/')
  return { base: ipv4Number(base), bits: Number(bits) }
})

/**
 * @param host in the one form that URL parsing gives: four decimal numbers
 * @returns whether the address can belong to a server on the public internet
 */
export function isPublicIpv4(host: string): boolean {
  const address = ipv4Number(host)
  return !SPECIAL_V4.some(({ base, bits }) => (address ^ base) >>> (32 - bits) === 0)
}

/**
 * Global unicast only: whatever lies outside 2000::/3 is loopback, local, mapped, translated, multicast or not
 * given out. What is special inside is refused too, above all the forms that carry an IPv4 address in them.
 * @param host in the one form that URL parsing gives: hexadecimal groups, compressed, no brackets
 */
export function isPublicIpv6(host: string): boolean {
  const [first = 0, second = 0, third = 0] = ipv6Groups(host)
  if (first >>> 13 !== 1) return false
  if (first === 0x2001) return second >= 0x200 && second !== 0xdb8 // protocols (Teredo, ORCHID), documentation
  if (first === 0x2002) return false // 6to4: an IPv4 address in disguise
  if (first === 0x3ffe) return false // the old test network
  if (first === 0x3fff) return second >= 0x1000 // documentation
  return !(first === 0x2620 && second === 0x4f && third === 0x8000) // AS112
}

function ipv4Number(host: string): number {
  return host.split('.').reduce((number, part) => number * 256 + Number(part), 0)
}

function ipv6Groups(host: string): number[] {
  const [head = '', tail] = host.split('::')
  const groups = (text: string) => (text ? text.split(':').map((group) => Number.parseInt(group, 16)) : [])
  const [before, after] = [groups(head), groups(tail ?? '')]
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after]
}
