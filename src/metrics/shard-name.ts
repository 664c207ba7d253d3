/** Where objects can be placed, as Cloudflare's location hints name it. */
export const REGIONS = ['wnam', 'enam', 'sam', 'weur', 'eeur', 'apac', 'oc', 'afr', 'me'] as const
export type Region = (typeof REGIONS)[number]

/** For ever: with another number an isolate's batches would meet a shard that does not know what was counted. */
export const SHARDS = 16

/**
 * The shard an isolate sends to. By isolate, not by tenant: one large tenant would be one hot shard, and a batch would
 * have to be cut up.
 */
export const shardName = (region: Region, isolate: string): string => `${region}-${hash(isolate) % SHARDS}`

/** FNV-1a, its bits mixed once more: alone its lowest bits are uneven. */
function hash(text: string): number {
  let bits = 0x811c9dc5
  for (let i = 0; i < text.length; i++) bits = Math.imul(bits ^ text.charCodeAt(i), 0x01000193)
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  return (bits ^ (bits >>> 13)) >>> 0
}
