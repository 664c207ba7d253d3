import type { SupabaseClient } from '@supabase/supabase-js'
import { readBounded, TooLargeError } from '../../core/bytes.ts'
import { type Clock, withDeadline } from '../../core/clock.ts'
import { GatewayError } from '../../core/errors.ts'
import type { ContentType, FolderListing, Shelf } from './shelf.ts'

export const BUCKET = 'ml-artifacts'

const PAGE = 1_000
const MAX_PAGES = 20

export interface SupabaseShelfOptions {
  /** A client for one call. */
  readonly connect: () => SupabaseClient
  readonly clock: Clock
  /** For each request, with its whole body. */
  readonly deadlineMs: number
}

/** The private bucket of Supabase Storage. Only the service role sees anything of it. */
export function supabaseShelf({ connect, clock, deadlineMs }: SupabaseShelfOptions): Shelf {
  const bucket = () => connect().storage.from(BUCKET)

  /** Nothing is tried twice here: who asks decides what a failure means. */
  const ask = async <T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    const abort = new AbortController()
    try {
      return await withDeadline(clock, deadlineMs, work(abort.signal))
    } catch (error) {
      abort.abort()
      throw error instanceof TooLargeError ? error : unavailable(error)
    }
  }

  const write = (name: string, bytes: Uint8Array<ArrayBuffer>, contentType: ContentType, upsert: boolean) =>
    ask(async () => {
      const { error } = await bucket().upload(name, bytes, { contentType, upsert, cacheControl: '0' })
      if (error && (upsert || statusOf(error) !== 409)) throw error
      return error === null
    })

  const page = (folder: string, offset: number) =>
    ask(async (signal) => {
      const sortBy = { column: 'name', order: 'asc' }
      const { data, error } = await bucket().list(folder, { limit: PAGE, offset, sortBy }, { signal })
      if (error) throw error
      if (!Array.isArray(data)) throw new TypeError('a listing that is no list')
      return data
    })

  return {
    place: 'Supabase Storage',
    read: (name, maxBytes) =>
      ask(async (signal) => {
        const { data, error } = await bucket().download(name, undefined, { signal }).asStream()
        if (error && isMissing(error)) return undefined
        if (error) throw error
        return (await readBounded(data, maxBytes)) as Uint8Array<ArrayBuffer>
      }),
    has: (name) =>
      ask(async () => {
        // Not `exists`, which throws where a store says 404 in its own words.
        const { error } = await bucket().info(name)
        if (error && !isMissing(error)) throw error
        return error === null
      }),
    create: (name, bytes, type) => write(name, bytes, type, false),
    replace: async (name, bytes, type) => void (await write(name, bytes, type, true)),
    listing: async (folder) => {
      const objects: string[] = []
      const folders: string[] = []
      for (let at = 0; at < MAX_PAGES; at++) {
        const entries = await page(folder, at * PAGE)
        // A folder is no row of its own: it comes without an id.
        for (const { id, name } of entries) (id === null ? folders : objects).push(name)
        if (entries.length < PAGE) return { objects, folders } satisfies FolderListing
      }
      throw unavailable(new RangeError(`more than ${MAX_PAGES * PAGE} objects in ${folder}`))
    },
  }
}

/** Supabase answers 400 and puts what it means into the body. */
function statusOf(error: object): number {
  const { statusCode, status } = error as { statusCode?: unknown; status?: unknown }
  return Number(statusCode) || Number(status) || 0
}

/** The object; when the bucket is missing the whole store is in trouble. */
const isMissing = (error: Error): boolean => statusOf(error) === 404 && !/bucket/i.test(error.message)

const unavailable = (cause: unknown) =>
  new GatewayError(
    'store_unavailable',
    `Supabase Storage did not serve the bucket ${BUCKET}.`,
    'Try again; if it stays so, check that Supabase runs, that its secret key is right, and that the migrations are applied.',
    { retryAfterSeconds: 5, cause },
  )
