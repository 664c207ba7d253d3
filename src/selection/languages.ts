import { eachWord } from './words.ts'

/** What people write after the fence, beside the name itself. */
const ALIASES: Readonly<Record<string, string>> = {
  js: 'javascript',
  jsx: 'javascript',
  mjs: 'javascript',
  node: 'javascript',
  ts: 'typescript',
  tsx: 'typescript',
  py: 'python',
  python3: 'python',
  rb: 'ruby',
  rs: 'rust',
  golang: 'go',
  cs: 'csharp',
  'c#': 'csharp',
  'c++': 'cpp',
  cc: 'cpp',
  kt: 'kotlin',
  sh: 'bash',
  shell: 'bash',
  zsh: 'bash',
  console: 'bash',
  yml: 'yaml',
  postgresql: 'sql',
  mysql: 'sql',
}

/** Tags that say that it is no programming language. */
const NO_LANGUAGE = new Set([
  '',
  'text',
  'txt',
  'plaintext',
  'plain',
  'diff',
  'output',
  'log',
  'markdown',
  'md',
])

const LONGEST_TAG = 20

/** @param tag what follows the fence, such as `ts title="a.ts"` */
export function tagLanguage(tag: string): string | undefined {
  const name = (tag.trim().split(/[\s{:,]/, 1)[0] ?? '').toLowerCase()
  if (NO_LANGUAGE.has(name) || name.length > LONGEST_TAG) return undefined
  return Object.hasOwn(ALIASES, name) ? ALIASES[name] : name
}

/** Words that are written in few languages. None of them is a proof; most of them together decide. */
const MARKS: Readonly<Record<string, string>> = {
  python: 'def elif self import none true except lambda pass init raise',
  javascript: 'const let var function undefined null async await require console',
  typescript: 'const let interface readonly string number async await export type',
  rust: 'fn let mut impl pub match unwrap struct use crate',
  go: 'func nil package defer chan struct err fmt range',
  java: 'public private static void final class string import extends override',
  csharp: 'using namespace public private void var string async task console',
  cpp: 'include std int void template const auto cout namespace vector',
  c: 'include int void char sizeof printf malloc struct static typedef',
  ruby: 'def end puts require nil attr_accessor do unless module elsif',
  php: 'php echo function array public foreach this isset',
  kotlin: 'fun val var when override data companion null',
  swift: 'func let var guard nil struct self protocol override',
  sql: 'select from where join insert into update table group order',
  bash: 'echo fi then esac done sudo export grep bin',
}

/** Languages by the word that marks them. */
const BY_WORD = new Map<string, string[]>()
for (const [language, words] of Object.entries(MARKS)) {
  for (const word of words.split(' ')) BY_WORD.set(word, [...(BY_WORD.get(word) ?? []), language])
}

/** How many different marks the language must have, and how many more than the next. */
const ENOUGH = 2

/** Guesses from the words of the code. @returns undefined where two languages are equally likely */
export function languageOf(code: string): string | undefined {
  const seen = new Set<string>()
  const marks = new Map<string, number>()
  eachWord(code, (word) => {
    const languages = BY_WORD.get(word)
    if (!languages || seen.has(word)) return
    seen.add(word)
    for (const language of languages) marks.set(language, (marks.get(language) ?? 0) + 1)
  })
  let best: string | undefined
  let most = ENOUGH - 1
  let tied = false
  for (const [language, count] of marks) {
    if (count === most) tied = true
    if (count <= most) continue
    best = language
    most = count
    tied = false
  }
  return tied ? undefined : best
}
