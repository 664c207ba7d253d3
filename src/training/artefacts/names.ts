import { GatewayError } from '../../core/errors.ts'

/** Where artefacts may lie. Everything else in the bucket is nobody's. */
export const FOLDERS = [
  'training-data',
  'models',
  'catalogs',
  'oracle',
  'audit/exports',
  'audit/logs',
] as const

const MAX_NAME_LENGTH = 200
const MAX_SEGMENTS = 6
/** No dot in front, so that neither `..` nor a hidden file is a segment. */
const SEGMENT = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/
const GLOB_SEGMENT = /^[A-Za-z0-9_*?][A-Za-z0-9_.*?-]*$/

/**
 * Refuses whatever could leave the bucket's folders, or mean two things to two stores.
 * @throws GatewayError `invalid_request`
 */
export function mustBeName(name: string): void {
  if (!isName(name)) throw badName(name)
}

export const isName = (text: string): boolean =>
  fits(text, text.split('/'), SEGMENT) && text.endsWith('.json') && underFolder(text)

/**
 * A pattern of names. Its folder is spelt out: no store is ever asked for all that it holds.
 * @returns its segments
 * @throws GatewayError `invalid_request`
 */
export function parseGlob(glob: string): readonly string[] {
  const segments = glob.split('/')
  if (!fits(glob, segments, GLOB_SEGMENT) || !underFolder(glob)) throw badGlob(glob)
  return segments
}

const fits = (text: string, segments: readonly string[], allowed: RegExp): boolean =>
  text.length <= MAX_NAME_LENGTH &&
  !text.includes('..') &&
  segments.length <= MAX_SEGMENTS &&
  segments.every((segment) => allowed.test(segment))

const underFolder = (text: string): boolean => FOLDERS.some((folder) => text.startsWith(`${folder}/`))

/**
 * Whether a segment of a name fits a segment of a pattern: `*` is any run of characters, `?` any one. Two fingers
 * and one place to come back to, so that no pattern takes longer than length times length.
 */
export function segmentMatches(pattern: string, text: string): boolean {
  let p = 0
  let t = 0
  let star = -1
  let resumeAt = 0
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++
      resumeAt = t
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p++
      t++
    } else if (star >= 0) {
      p = star + 1
      t = ++resumeAt
    } else return false
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}

const shown = (text: string): string => JSON.stringify(text.slice(0, MAX_NAME_LENGTH))

const badName = (name: string) =>
  new GatewayError(
    'invalid_request',
    `${shown(name)} is no name of an artefact.`,
    `Use {folder}/{name}.json with letters, digits, "_", "-" and "."; folders: ${FOLDERS.join(', ')}.`,
  )

const badGlob = (glob: string) =>
  new GatewayError(
    'invalid_request',
    `${shown(glob)} is no pattern for artefacts.`,
    `Begin with a folder (${FOLDERS.join(', ')}); "*" is any run of characters in a segment, "?" any one.`,
  )
