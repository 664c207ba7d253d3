import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { TooLargeError } from '../../src/core/bytes.ts'
import { GatewayError } from '../../src/core/errors.ts'
import type { Shelf } from '../../src/training/artefacts/shelf.ts'

/** Artefacts in a folder of this machine, laid out as in the bucket. */
export function folderShelf(root: string): Shelf {
  return {
    place: root,
    read: (name, maxBytes) =>
      orAbsent(root, undefined, async () => {
        const file = await open(join(root, name))
        try {
          if ((await file.stat()).size > maxBytes) throw new TooLargeError(`more than ${maxBytes} bytes`)
          return new Uint8Array(await file.readFile())
        } finally {
          await file.close()
        }
      }),
    has: (name) => orAbsent(root, false, async () => (await stat(join(root, name))).isFile()),
    create: (name, bytes) =>
      written(root, name, bytes, async (from, to) => {
        // Unlike a rename, a link never takes another's place.
        const first = await link(from, to).then(
          () => true,
          (error: unknown) => {
            if (codeOf(error) === 'EEXIST') return false
            throw error
          },
        )
        await rm(from)
        return first
      }),
    replace: (name, bytes) => written(root, name, bytes, rename),
    listing: (folder) =>
      orAbsent(root, { objects: [], folders: [] }, async () => {
        const entries = await readdir(join(root, folder), { withFileTypes: true })
        return {
          objects: entries.filter((entry) => entry.isFile()).map(({ name }) => name),
          folders: entries.filter((entry) => entry.isDirectory()).map(({ name }) => name),
        }
      }),
  }
}

/** Written aside first, so that what has its name is whole. */
async function written<T>(
  root: string,
  name: string,
  bytes: Uint8Array,
  putInPlace: (from: string, to: string) => Promise<T>,
): Promise<T> {
  const path = join(root, name)
  const aside = `${path}.${randomUUID()}.tmp`
  try {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(aside, bytes, { flush: true })
    return await putInPlace(aside, path)
  } catch (cause) {
    await rm(aside, { force: true })
    throw unavailable(root, cause)
  }
}

async function orAbsent<T>(root: string, absent: T, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error))) return absent
    throw error instanceof TooLargeError ? error : unavailable(root, error)
  }
}

const codeOf = (error: unknown): string => String((error as NodeJS.ErrnoException).code)

const unavailable = (place: string, cause: unknown) =>
  new GatewayError(
    'store_unavailable',
    `The artefacts in ${place} cannot be read or written (${codeOf(cause)}).`,
    'Check that the folder exists, is yours, and has room.',
    { cause },
  )
