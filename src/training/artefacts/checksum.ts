import { fromUtf8, utf8 } from '../../core/bytes.ts'
import { DamagedArtefactError } from './damaged.ts'

export interface Checksum {
  /** 64 hexadecimal digits. */
  readonly sha256: string
  readonly bytes: number
}

/**
 * The checksum lies beside its artefact as `{name}.sha256`, not in a manifest: a manifest would be one object that all
 * uploads write, so that two at once could lose one. Nor in the object's metadata, which a folder does not have.
 */
export const checksumName = (name: string): string => `${name}.sha256`

/** More than any checksum takes. */
export const MAX_CHECKSUM_BYTES = 400

const FORM = /^# (0|[1-9]\d{0,11}) bytes\n([0-9a-f]{64}) {2}([^\n]+)\n$/

export async function checksumOf(bytes: Uint8Array<ArrayBuffer>): Promise<Checksum> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  const sha256 = [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  return { sha256, bytes: bytes.byteLength }
}

/** As `sha256sum --check` reads it, the size in a comment; it names its file, so it is of no use beside another. */
export const writeChecksum = (name: string, { sha256, bytes }: Checksum): Uint8Array<ArrayBuffer> =>
  utf8(`# ${bytes} bytes\n${sha256}  ${baseName(name)}\n`)

/** @throws DamagedArtefactError for anything but what `writeChecksum` made for this very name */
export function readChecksum(name: string, content: Uint8Array): Checksum {
  let match: RegExpExecArray | null = null
  try {
    match = FORM.exec(fromUtf8(content))
  } catch {
    // Not even text.
  }
  const [, bytes, sha256, file] = match ?? []
  if (bytes === undefined || sha256 === undefined || file !== baseName(name)) {
    throw new DamagedArtefactError(name, 'has a checksum that is not readable or is of another artefact')
  }
  return { sha256, bytes: Number(bytes) }
}

const baseName = (name: string): string => name.slice(name.lastIndexOf('/') + 1)
