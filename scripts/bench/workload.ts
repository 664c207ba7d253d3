import { seededRandom } from '../seeded-random.ts'

/** The load of every scenario: what a request looks like, and which one comes next. */
export const DISTINCT = 10_000
export const KEYS = 100
export const TENANTS = 10
/** The name by which every body asks. */
export const MODEL = 'bench:model'
const MESSAGES = 6
const BODY_BYTES = 2_000
/** Width of the number that makes a body unlike every other. */
export const SERIAL_DIGITS = 12

const WORDS =
  'the gateway answers what a team asks of its models and counts every request it has seen before or not'.split(
    ' ',
  )

/** Random bytes of the n-th key, so that the load and the worker know the same keys. */
export function keyBytes(index: number): Uint8Array {
  const random = seededRandom(7_000 + index)
  return Uint8Array.from({ length: 32 }, () => Math.floor(random() * 256))
}

/** A body of about 2 kB with 6 messages; the same index gives the same body. */
export function body(index: number, stream = false): string {
  const random = seededRandom(index + 1)
  const words = (length: number) => {
    let text = ''
    while (text.length < length) text += `${WORDS[Math.floor(random() * WORDS.length)]} `
    return text.slice(0, length)
  }
  const each = Math.floor((BODY_BYTES - 420) / MESSAGES)
  const messages = Array.from({ length: MESSAGES }, (_, at) => ({
    role: at === 0 ? 'system' : at % 2 ? 'user' : 'assistant',
    content: at === 0 ? `${'0'.repeat(SERIAL_DIGITS)} ${words(each)}` : words(each),
  }))
  return JSON.stringify({
    model: MODEL,
    messages,
    temperature: 0.7,
    max_tokens: 512,
    seed: index,
    ...(stream && { stream: true }),
  })
}

/** The order in which bodies are asked for: Zipf with exponent 1 over `distinct` of them. */
export function zipfSequence(length: number, seed: number, distinct: number): Uint16Array {
  const cumulative = new Float64Array(distinct)
  let total = 0
  for (let rank = 0; rank < distinct; rank++) {
    total += 1 / (rank + 1)
    cumulative[rank] = total
  }
  const random = seededRandom(seed)
  return Uint16Array.from({ length }, () => {
    const wanted = random() * total
    let [low, high] = [0, distinct - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((cumulative[middle] as number) < wanted) low = middle + 1
      else high = middle
    }
    return low
  })
}
