import { GatewayError } from '../../core/errors.ts'
import type { JsonValue } from '../../core/json.ts'
import { Lru } from '../../core/lru.ts'
import { DamagedArtefactError } from './damaged.ts'
import { artefactJson } from './judge.ts'
import { mustBeName } from './names.ts'
import { unstamped } from './stamp.ts'
import type { ArtefactStore } from './store.ts'

export type Source = 'storage' | 'memory' | 'local'

export interface Loaded<T> {
  readonly value: T
  readonly name: string
  /** `memory`: the last good one, because what storage has is damaged or storage is away. */
  readonly from: Source
}

/** Something was not as it should be. Whether there was a way round is in what the call then returns. */
export interface LoadWarning {
  /** A name, or the pattern that was asked for. */
  readonly artefact: string
  readonly source: Source
  /** One sentence for people. */
  readonly message: string
  readonly cause?: unknown
}

export interface LoaderOptions {
  readonly storage: ArtefactStore
  /** A copy at hand, asked only when storage has nothing usable. */
  readonly local?: ArtefactStore
  readonly report: (warning: LoadWarning) => void
  /** How many bytes of last good artefacts are kept in memory. */
  readonly keepBytes?: number
}

/** The shape of an artefact. Throwing makes the artefact count as damaged. */
export type Parse<T> = (value: JsonValue) => T

export interface ScannedReposOptions {
  /** False: only the local copy. */
  readonly fromStorage?: boolean
  /** How many of the newest files, 1 to 100. */
  readonly maxFiles?: number
}

export interface ArtefactLoader {
  /** The newest usable `training-data/{name}-{moment}.json`. */
  loadTrainingData<T>(name: string, parse: Parse<T>): Promise<Loaded<T>>
  /** The newest usable `models/{name}-{moment}.json`. */
  loadModel<T>(name: string, parse: Parse<T>): Promise<Loaded<T>>
  /** The newest `training-data/scanned-repos*.json`, newest first; what is not usable is left out and reported. */
  loadScannedRepos<T>(options: ScannedReposOptions, parse: Parse<T>): Promise<readonly Loaded<T>[]>
}

/** One of the largest and some small ones; the parsed form of the one in use needs the rest of an isolate. */
const KEEP_BYTES = 24 * 1024 * 1024
/** How far it goes back in time while nothing good is known yet. */
const TRIES = 3
const SCANNED_REPOS = 'training-data/scanned-repos*.json'

interface Kept {
  readonly name: string
  readonly sha256: string
  /** Not the value: whoever was given that may have changed it. */
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** Storage first, then the last good one in memory, then the local copy; every step down is reported. */
export function artefactLoader(options: LoaderOptions): ArtefactLoader {
  const { storage, local, report, keepBytes = KEEP_BYTES } = options
  const lastGood = new Lru<Kept>({ maxEntries: 1_000, maxBytes: keepBytes, ownerShare: 1 })

  const warn = (source: Source, artefact: string, message: string, cause?: unknown) =>
    report({ source, artefact, message, ...(cause !== undefined && { cause }) })

  const shaped = <T>(name: string, bytes: Uint8Array, parse: Parse<T>): T => {
    const value = artefactJson(name, bytes)
    try {
      return parse(value)
    } catch (cause) {
      throw new DamagedArtefactError(name, 'has not the shape that is expected', { cause })
    }
  }

  /** @returns undefined, after a warning, when it is not usable */
  const tried = async <T>(
    source: Source,
    artefact: string,
    work: () => Promise<T>,
  ): Promise<T | undefined> => {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof DamagedArtefactError) && !(error instanceof GatewayError)) throw error
      warn(source, artefact, error.message, error)
      return undefined
    }
  }

  /** @param key under which it becomes the last good one */
  const fromStorage = <T>(name: string, key: string, parse: Parse<T>): Promise<Loaded<T> | undefined> =>
    tried('storage', name, async () => {
      const { sha256 } = await storage.checksum(name)
      const kept = lastGood.get(key)
      const known = kept?.name === name && kept.sha256 === sha256
      const bytes = known ? kept.bytes : await storage.download(name)
      const value = shaped(name, bytes, parse)
      if (!known) lastGood.set(key, { name, sha256, bytes }, bytes.byteLength, '')
      return { value, name, from: 'storage' }
    })

  const fromMemory = <T>(key: string, parse: Parse<T>): Promise<Loaded<T> | undefined> =>
    tried('memory', key, async () => {
      const kept = lastGood.get(key)
      if (!kept) return undefined
      const value = shaped(kept.name, kept.bytes, parse)
      warn('memory', key, `The last good one is used: ${kept.name}.`)
      return { value, name: kept.name, from: 'memory' }
    })

  const fromLocal = <T>(name: string, parse: Parse<T>): Promise<Loaded<T> | undefined> =>
    tried('local', name, async () => {
      if (!local) return undefined
      const value = shaped(name, await local.download(name), parse)
      warn('local', name, `The local copy in ${local.place} is used.`)
      return { value, name, from: 'local' }
    })

  const versions = async (source: 'storage' | 'local', name: string): Promise<readonly string[]> => {
    const store = source === 'storage' ? storage : local
    const glob = name.replace(/\.json$/, '*.json')
    const found = await tried(source, name, async () => (await store?.list(glob)) ?? [])
    return (found ?? []).filter((one) => unstamped(one) === name).slice(0, TRIES)
  }

  const newest = async <T>(name: string, parse: Parse<T>): Promise<Loaded<T>> => {
    mustBeName(name)
    for (const version of await versions('storage', name)) {
      const loaded = (await fromStorage(version, name, parse)) ?? (await fromMemory(name, parse))
      if (loaded) return loaded
    }
    const kept = await fromMemory(name, parse)
    if (kept) return kept
    for (const version of await versions('local', name)) {
      const loaded = await fromLocal(version, parse)
      if (loaded) return loaded
    }
    throw nothing(name)
  }

  /** Of the latest listing that storage gave: what is asked of memory while it gives none. */
  let scannedNames: readonly string[] = []

  const scannedFromStorage = async <T>(maxFiles: number, parse: Parse<T>): Promise<readonly Loaded<T>[]> => {
    const listed = await tried('storage', SCANNED_REPOS, () => storage.list(SCANNED_REPOS))
    if (listed) scannedNames = listed.slice(0, maxFiles)
    return each(scannedNames.slice(0, maxFiles), async (name) => {
      const loaded = listed && (await fromStorage(name, name, parse))
      return loaded ?? (await fromMemory(name, parse)) ?? (await fromLocal(name, parse))
    })
  }

  const scannedFromLocal = async <T>(maxFiles: number, parse: Parse<T>): Promise<readonly Loaded<T>[]> => {
    const listed = await tried('local', SCANNED_REPOS, async () => (await local?.list(SCANNED_REPOS)) ?? [])
    return each((listed ?? []).slice(0, maxFiles), (name) => fromLocal(name, parse))
  }

  return {
    loadTrainingData: (name, parse) => newest(`training-data/${name}.json`, parse),
    loadModel: (name, parse) => newest(`models/${name}.json`, parse),
    loadScannedRepos: async ({ fromStorage: first = true, maxFiles = 10 }, parse) => {
      if (!Number.isInteger(maxFiles) || maxFiles < 1 || maxFiles > 100) throw badCount()
      const stored = first ? await scannedFromStorage(maxFiles, parse) : []
      return stored.length > 0 ? stored : scannedFromLocal(maxFiles, parse)
    },
  }
}

/** One after the other: side by side they would all be in memory at once, read and parsed. */
async function each<T>(
  names: readonly string[],
  load: (name: string) => Promise<T | undefined>,
): Promise<readonly T[]> {
  const all: T[] = []
  for (const name of names) {
    const one = await load(name)
    if (one !== undefined) all.push(one)
  }
  return all
}

const nothing = (name: string) =>
  new GatewayError(
    'not_found',
    `No version of ${name} is usable, neither in storage nor nearby.`,
    `Upload one: npm run artefacts -- put ${name} FILE --stamp`,
  )

const badCount = () =>
  new GatewayError('invalid_request', 'maxFiles is not a whole number from 1 to 100.', 'Leave it out for 10.')
