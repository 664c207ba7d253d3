/** Where objects can be placed, as Cloudflare's location hints name it. */
export const REGIONS = ['wnam', 'enam', 'sam', 'weur', 'eeur', 'apac', 'oc', 'afr', 'me'] as const
export type Region = (typeof REGIONS)[number]

const BY_CONTINENT: Readonly<Record<string, Region>> = {
  AF: 'afr',
  AN: 'oc',
  AS: 'apac',
  EU: 'weur',
  NA: 'enam',
  OC: 'oc',
  SA: 'sam',
}

/** @param continent of a request, by Cloudflare's code. An isolate keeps to the region of its first request. */
export const regionOf = (continent: string | undefined): Region =>
  (continent !== undefined && Object.hasOwn(BY_CONTINENT, continent) && BY_CONTINENT[continent]) || 'enam'

/** For ever: with another number isolates would change their shards. */
export const SHARDS = 16

/**
 * The shard an isolate sends to, the same as long as it lives: another one could not know what was counted. By
 * isolate, not by tenant: one large tenant would be one hot shard, and a batch would have to be cut up.
 */
export const shardName = (region: Region, isolate: string): string => `${region}-${hash(isolate) % SHARDS}`

/** Every shard that there can be; its place here is its number. */
export const SHARD_NAMES: readonly string[] = REGIONS.flatMap((region) =>
  Array.from({ length: SHARDS }, (_, n) => `${region}-${n}`),
)

/** The one hub of all shards. */
export const HUB_NAME = 'hub'

/** FNV-1a, its bits mixed once more: alone its lowest bits are uneven. */
function hash(text: string): number {
  let bits = 0x811c9dc5
  for (let i = 0; i < text.length; i++) bits = Math.imul(bits ^ text.charCodeAt(i), 0x01000193)
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  return (bits ^ (bits >>> 13)) >>> 0
}
