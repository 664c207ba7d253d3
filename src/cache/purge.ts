import type { PurgeMarks } from '../tenants/tenant.ts'
import type { CacheEntry } from './entry.ts'

/** As the values of cost tags: without blanks and `@`. */
export const CACHE_TAG = /^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}$/

/** Printable, and short enough that a hundred of them fit into each copy of a key's record. */
export const MODEL_NAME = /^[\x21-\x7e]{1,200}$/

/** What is purged: everything that bears a tag, that a model answered or was asked for, or that lies in one slot. */
export interface PurgeTarget {
  readonly kind: 'tag' | 'model' | 'slot'
  readonly name: string
}

export const markOf = ({ kind, name }: PurgeTarget): string => `${kind}:${name}`

/**
 * Whether the entry was asked for before one of its marks was set. Goes by when its model was asked, so that an answer
 * that was under way is purged with those that were there.
 * @param routeId what the request asks for: an alias is purged by its own name too
 */
export function isPurged(
  marks: PurgeMarks,
  slotId: string,
  routeId: string | undefined,
  { askedAtMs, storedAtMs, origin, tags = [] }: CacheEntry,
): boolean {
  const atMs = askedAtMs ?? storedAtMs
  const isBefore = (kind: PurgeTarget['kind'], name: string): boolean =>
    atMs <= (marks[markOf({ kind, name })] ?? Number.NEGATIVE_INFINITY)
  return (
    isBefore('slot', slotId) ||
    isBefore('model', origin.model) ||
    (routeId !== undefined && isBefore('model', routeId)) ||
    tags.some((tag) => isBefore('tag', tag))
  )
}
