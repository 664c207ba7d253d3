import { languageOf, tagLanguage } from './languages.ts'

/** A text taken apart: what is said in words, and what is code. */
export interface Parts {
  readonly prose: string
  readonly code: string
  /** Share of the characters that are code, 0 to 1. */
  readonly codeShare: number
  /** Lower case; undefined where there is no code, or where it is unclear. */
  readonly codeLanguage: string | undefined
}

/** From this share of brackets and operators on, a line is code; prose stays far below. */
const SYMBOL_SHARE = 0.1

/**
 * Tells code from prose line by line: what stands between fences, and lines that look like code by themselves.
 * One pass without regular expressions, linear in the text.
 */
export function takeApart(text: string): Parts {
  let prose = ''
  let code = ''
  let fenced = false
  let tagged: string | undefined
  let afterCode = false
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start)
    const end = newline < 0 ? text.length : newline + 1
    const line = text.slice(start, end)
    start = end
    const trimmed = line.trim()
    if (trimmed.startsWith('```')) {
      // A fence that opens and closes on one line changes nothing.
      if (trimmed.indexOf('```', 3) < 0) {
        fenced = !fenced
        if (fenced) tagged ??= tagLanguage(trimmed.slice(3))
      } else code += line
      continue
    }
    const indented: boolean = afterCode && (line.startsWith('    ') || line.startsWith('\t'))
    // An empty line belongs to what it follows.
    if (fenced || trimmed !== '') afterCode = fenced || indented || looksLikeCode(trimmed)
    if (afterCode) code += line
    else prose += line
  }
  const share = code.length === 0 ? 0 : code.length / (code.length + prose.length)
  return { prose, code, codeShare: share, codeLanguage: (code && (tagged ?? languageOf(code))) || undefined }
}

function looksLikeCode(line: string): boolean {
  const last = line.charCodeAt(line.length - 1)
  if (last === SEMICOLON || last === OPEN_BRACE || last === CLOSE_BRACE) return true
  let symbols = 0
  for (let i = 0; i < line.length; i++) if (SYMBOLS[line.charCodeAt(i)] === 1) symbols += 1
  return symbols >= 2 && symbols >= line.length * SYMBOL_SHARE
}

const [SEMICOLON, OPEN_BRACE, CLOSE_BRACE] = [0x3b, 0x7b, 0x7d]
const SYMBOLS = new Uint8Array(0x10000)
for (const symbol of '(){}[];=<>_$&|+*/\\#@') SYMBOLS[symbol.charCodeAt(0)] = 1
