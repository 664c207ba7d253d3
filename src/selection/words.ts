const LETTER = new Uint8Array(0x80)
for (const letter of 'abcdefghijklmnopqrstuvwxyz0123456789_') LETTER[letter.charCodeAt(0)] = 1

/** Punctuation beyond Latin, which no word holds: general punctuation, and that of Chinese and Japanese. */
const isPunctuation = (code: number): boolean =>
  code < 0xc0 || (code >= 0x2000 && code < 0x2070) || (code >= 0x3000 && code < 0x3020)

/** Calls with each word in lower case, accents taken off. One pass, linear in the text. */
export function eachWord(text: string, visit: (word: string) => void): void {
  const plain = withoutAccents(text.toLowerCase())
  let start = -1
  for (let i = 0; i <= plain.length; i++) {
    const code = i < plain.length ? plain.charCodeAt(i) : 0
    const inWord = code < 0x80 ? LETTER[code] === 1 : !isPunctuation(code)
    if (inWord) {
      if (start < 0) start = i
    } else if (start >= 0) {
      visit(plain.slice(start, i))
      start = -1
    }
  }
}

function withoutAccents(text: string): string {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) >= 0x80) return text.normalize('NFD').replaceAll(/[\u0300-\u036f]/g, '')
  }
  return text
}
