import type { Parts } from './code.ts'
import { type Kind, wordOf } from './task-words.ts'
import { eachWord } from './words.ts'

/** How many changes from one kind of word to another are looked at: what is wanted is said early. */
const MAX_CHANGES = 5
const MUCH_CODE = 0.5

/** Words of code that is itself a test. */
const TEST_CODE = new Set([
  'expect',
  'assert',
  'describe',
  'test',
  'it',
  'assertequals',
  'should',
  'unittest',
])

/**
 * Names everything about a text that may tell its task: its words, kinds of words and the order in which the
 * kinds follow each other, how it begins and ends, and its code. A name may come more than once.
 */
export function eachFeature({ prose, code, codeShare }: Parts, visit: (feature: string) => void): void {
  let words = 0
  let asks = endsInQuestion(prose)
  let first: Kind | undefined
  let last: Kind | undefined
  let changes = 0
  let aboutCode = codeShare > 0
  let making = false
  eachWord(prose, (text) => {
    const { stem, kind, isOpener } = wordOf(text)
    words += 1
    if (words === 1) {
      visit(`^${stem}`)
      if (isOpener) {
        asks = true
        visit('^?')
      }
    }
    visit(stem)
    if (!kind) return
    visit(PRESENT[kind])
    if (kind === 'make') making = true
    else if (kind !== 'ask' && kind !== 'this') aboutCode = true
    if (kind === last || changes >= MAX_CHANGES) return
    if (last) visit(FOLLOWS[last][kind])
    changes += 1
    last = kind
    // What it is about, as opposed to that something is to be made of something.
    if (!first && kind !== 'make' && kind !== 'this' && kind !== 'thing') {
      first = kind
      visit(FIRST[kind])
    }
  })
  if (!aboutCode) visit(making ? '-make' : '-')
  if (asks) visit('?')
  if (asks && first) visit(ASKED[first])
  visit(codeShare === 0 ? '#none' : codeShare > MUCH_CODE ? '#much' : '#some')
  if (codeShare > 0 && first) visit(CODED[first])
  visit(words <= 4 ? '#1' : words <= 12 ? '#2' : words <= 30 ? '#3' : '#4')
  if (isTestCode(code)) visit('#test')
}

function endsInQuestion(prose: string): boolean {
  const end = prose.trimEnd()
  return end.endsWith('?') || end.endsWith('？')
}

function isTestCode(code: string): boolean {
  let found = false
  if (code !== '') {
    eachWord(code, (word) => {
      found ||= TEST_CODE.has(word) || word.startsWith('test_')
    })
  }
  return found
}

const ALL: readonly Kind[] = ['test', 'doc', 'ref', 'make', 'ask', 'thing', 'this', 'opener']
// Made once: joining names for every word would be most of the work.
const names = (name: (kind: Kind) => string) =>
  Object.fromEntries(ALL.map((kind) => [kind, name(kind)])) as Record<Kind, string>
const PRESENT = names((kind) => `@${kind}`)
const FIRST = names((kind) => `!${kind}`)
const ASKED = names((kind) => `?${kind}`)
const CODED = names((kind) => `#${kind}`)
const FOLLOWS = Object.fromEntries(
  ALL.map((before) => [before, names((after) => `${before}>${after}`)]),
) as Record<Kind, Record<Kind, string>>
