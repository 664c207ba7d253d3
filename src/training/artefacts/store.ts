import { TooLargeError, utf8 } from '../../core/bytes.ts'
import { GatewayError } from '../../core/errors.ts'
import type { JsonValue } from '../../core/json.ts'
import {
  type Checksum,
  checksumName,
  checksumOf,
  MAX_CHECKSUM_BYTES,
  readChecksum,
  writeChecksum,
} from './checksum.ts'
import { DamagedArtefactError } from './damaged.ts'
import { artefactJson, faultOf } from './judge.ts'
import { isName, mustBeName, parseGlob, segmentMatches } from './names.ts'
import type { Shelf } from './shelf.ts'
import { byNewest } from './stamp.ts'

/** The bucket refuses more as well (its migration); an isolate of 128 MB could not hold more in its parsed form. */
export const MAX_ARTEFACT_BYTES = 16 * 1024 * 1024

const MAX_LISTED = 10_000

/**
 * Artefacts: JSON under a name that keeps its content for good. A newer version has a newer name, with the moment in it.
 * Names that are none throw a GatewayError `invalid_request`, a store in trouble `store_unavailable`.
 */
export interface ArtefactStore {
  readonly place: string
  /** Whether it was uploaded wholly; `download` tells whether it is sound. */
  exists(name: string): Promise<boolean>
  /** Names, newest first by the moment in the name. @param glob `*` and `?` within segments, under a folder */
  list(glob: string): Promise<readonly string[]>
  /** By the moment in the name, whenever it was uploaded. */
  getLatest(glob: string): Promise<string | undefined>
  /** As it was stated when it was uploaded. Throws as `download` does. */
  checksum(name: string): Promise<Checksum>
  /**
   * The very bytes that were uploaded.
   * @throws GatewayError `not_found`
   * @throws DamagedArtefactError when their size or SHA-256 is another than was stated
   */
  download(name: string): Promise<Uint8Array<ArrayBuffer>>
  /** As `download`, parsed and judged: depth, keys, Unicode, and no key that changes prototypes. */
  loadJSON(name: string): Promise<JsonValue>
  /**
   * Stores, reads back, and only then returns. Doing it again with the same content changes nothing and mends damage.
   * @throws GatewayError `conflict` when the name has another content; `invalid_request` for what is not usable JSON
   */
  upload(name: string, content: Uint8Array<ArrayBuffer> | JsonValue): Promise<Checksum>
}

export function artefactStore(shelf: Shelf, maxBytes = MAX_ARTEFACT_BYTES): ArtefactStore {
  const checksum = async (name: string): Promise<Checksum> => {
    mustBeName(name)
    const content = await bounded(name, 'has a checksum that is too long', () =>
      shelf.read(checksumName(name), MAX_CHECKSUM_BYTES),
    )
    if (content) return readChecksum(name, content)
    if (await shelf.has(name)) throw new DamagedArtefactError(name, 'lies there without its checksum')
    throw notFound(name, shelf.place)
  }

  const download = async (name: string): Promise<Uint8Array<ArrayBuffer>> => {
    const stated = await checksum(name)
    if (stated.bytes > maxBytes) throw new DamagedArtefactError(name, `is larger than ${maxBytes} bytes`)
    const bytes = await bounded(name, `is longer than the ${stated.bytes} bytes that were uploaded`, () =>
      shelf.read(name, stated.bytes),
    )
    if (!bytes) throw notFound(name, shelf.place)
    if (bytes.byteLength !== stated.bytes)
      throw new DamagedArtefactError(
        name,
        `has ${bytes.byteLength} of the ${stated.bytes} bytes that were uploaded`,
      )
    if ((await checksumOf(bytes)).sha256 !== stated.sha256)
      throw new DamagedArtefactError(name, 'has another SHA-256 than when it was uploaded')
    return bytes
  }

  const list = async (glob: string): Promise<readonly string[]> => {
    const names = await expand(shelf, parseGlob(glob))
    return names.filter(isName).sort(byNewest)
  }

  return {
    place: shelf.place,
    list,
    checksum,
    download,
    getLatest: async (glob) => (await list(glob))[0],
    loadJSON: async (name) => artefactJson(name, await download(name)),
    exists: async (name) => {
      mustBeName(name)
      return (await shelf.has(name)) && (await shelf.has(checksumName(name)))
    },
    upload: async (name, content) => {
      mustBeName(name)
      const bytes = toBytes(name, content)
      if (bytes.byteLength > maxBytes) throw unusable(name, `is larger than ${maxBytes} bytes`)
      const made = await checksumOf(bytes)
      await mustNotBeForeign(name, made, shelf)
      // The checksum first: of several uploads at once, whose checksum it is owns the name, and what is written
      // after it has that content, whoever writes it. The other way round, one's content could meet another's checksum.
      const first = await shelf.create(checksumName(name), writeChecksum(name, made), 'text/plain')
      if (!first) await mustBeSame(name, made, checksum)
      await shelf.replace(name, bytes, 'application/json')
      await download(name)
      return made
    },
  }
}

/** Folder by folder as the pattern has it, so that nothing else is listed. */
async function expand(shelf: Shelf, segments: readonly string[]): Promise<string[]> {
  let found = ['']
  for (const [depth, segment] of segments.entries()) {
    const last = depth === segments.length - 1
    if (!last && !/[*?]/.test(segment)) {
      found = found.map((folder) => join(folder, segment))
      continue
    }
    const next: string[] = []
    for (const folder of found) {
      const { objects, folders } = await shelf.listing(folder)
      for (const entry of last ? objects : folders)
        if (segmentMatches(segment, entry)) next.push(join(folder, entry))
      if (next.length > MAX_LISTED) throw tooMany()
    }
    found = next
  }
  return found
}

const join = (folder: string, entry: string): string => (folder === '' ? entry : `${folder}/${entry}`)

async function bounded<T>(name: string, damage: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    if (cause instanceof TooLargeError) throw new DamagedArtefactError(name, damage, { cause })
    throw cause
  }
}

function toBytes(name: string, content: Uint8Array<ArrayBuffer> | JsonValue): Uint8Array<ArrayBuffer> {
  if (content instanceof Uint8Array) {
    try {
      artefactJson(name, content)
    } catch (cause) {
      if (cause instanceof DamagedArtefactError) throw unusable(name, cause.damage)
      throw cause
    }
    return content
  }
  // Judged before it is written: JSON would silently make null of NaN.
  const fault = faultOf(content)
  if (fault) throw unusable(name, fault)
  return utf8(JSON.stringify(content))
}

async function mustBeSame(
  name: string,
  made: Checksum,
  checksum: (name: string) => Promise<Checksum>,
): Promise<void> {
  const there = await checksum(name)
  if (there.sha256 !== made.sha256) throw conflict(name)
}

/** What somebody laid there by hand, without a checksum, is not written over unless it is the very same. */
async function mustNotBeForeign(name: string, made: Checksum, shelf: Shelf): Promise<void> {
  if ((await shelf.has(checksumName(name))) || !(await shelf.has(name))) return
  const there = await shelf.read(name, made.bytes).catch((error: unknown) => {
    throw error instanceof TooLargeError ? conflict(name) : error
  })
  if (there && (await checksumOf(there)).sha256 !== made.sha256) throw conflict(name)
}

const conflict = (name: string) =>
  new GatewayError(
    'conflict',
    `The name ${name} has another content already.`,
    'Give the new version a name of its own, with its moment in it, for example name-20261121T101500Z.json.',
  )

const notFound = (name: string, place: string) =>
  new GatewayError(
    'not_found',
    `There is no artefact ${name} in ${place}.`,
    'List what is there: npm run artefacts -- list',
  )

const unusable = (name: string, fault: string) =>
  new GatewayError(
    'invalid_request',
    `The artefact ${name} ${fault}.`,
    'Upload plain JSON within the limits; nothing was stored.',
  )

const tooMany = () =>
  new GatewayError(
    'invalid_request',
    `The pattern fits more than ${MAX_LISTED} artefacts.`,
    'Use a narrower pattern, or remove old artefacts.',
  )
