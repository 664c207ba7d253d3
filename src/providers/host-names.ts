/** Endings that name no server on the public internet: reserved by RFC 6761 and its like, or usual in offices. */
const PRIVATE_ENDINGS = [
  'alt',
  'arpa',
  'bit',
  'cluster',
  'consul',
  'corp',
  'docker',
  'example',
  'exit',
  'home',
  'i2p',
  'internal',
  'intranet',
  'invalid',
  'lan',
  'local',
  'localdomain',
  'mail',
  'onion',
  'private',
  'svc',
  'test',
  'workgroup',
]

/** Names behind which clouds keep the credentials of their machines. */
const METADATA_NAMES = [
  'metadata.goog',
  'metadata.google.internal',
  'metadata.azure.internal',
  'instance-data.ec2.internal',
  'metadata.tencentyun.com',
  'metadata.platformequinix.com',
  'metadata.packet.net',
]

/** Public services whose names lead to loopback, to any address written into the name, or to a changing one. */
const LEADING_INSIDE = [
  '1u.ms',
  'backname.io',
  'fuf.me',
  'ip6.name',
  'ipq.co',
  'lacolhost.com',
  'lcl.host',
  'local-ip.co',
  'local-ip.sh',
  'local.gd',
  'localdev.me',
  'localho.st',
  'localhost.direct',
  'localtest.me',
  'lvh.me',
  'nip.io',
  'plex.direct',
  'rbndr.us',
  'sslip.io',
  'traefik.me',
  'vcap.me',
  'xip.io',
  'xip.name',
]

const within = (host: string, name: string): boolean => host === name || host.endsWith(`.${name}`)

/** Whether the name is known to lead inside. No list of the operator's opens these. */
export function leadsInside(host: string): boolean {
  return ['localhost', ...METADATA_NAMES, ...LEADING_INSIDE].some((name) => within(host, name))
}

/** Whether the name is one that public DNS can know. */
export function isPublicName(host: string): boolean {
  return host.includes('.') && !PRIVATE_ENDINGS.some((ending) => within(host, ending))
}
