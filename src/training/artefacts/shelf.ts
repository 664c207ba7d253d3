/** What lies directly in a folder. */
export interface FolderListing {
  readonly objects: readonly string[]
  readonly folders: readonly string[]
}

/**
 * Where objects lie, whole and by name: all that an artefact store asks of Supabase, a folder, or whatever else.
 * Every call may reject with a GatewayError `store_unavailable`.
 */
export interface Shelf {
  /** For people: "Supabase Storage", or the folder's path. */
  readonly place: string
  /**
   * @returns undefined when there is none
   * @throws TooLargeError for more than `maxBytes`, without having read on
   */
  read(name: string, maxBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined>
  has(name: string): Promise<boolean>
  /** Of several at once for one name, exactly one is told true. @returns false when there is one already */
  create(name: string, bytes: Uint8Array<ArrayBuffer>, type: ContentType): Promise<boolean>
  /** Whole or not at all: nobody ever reads a half. */
  replace(name: string, bytes: Uint8Array<ArrayBuffer>, type: ContentType): Promise<void>
  /** Of a folder that is not there: nothing. */
  listing(folder: string): Promise<FolderListing>
}

export type ContentType = 'application/json' | 'text/plain'
