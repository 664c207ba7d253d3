import { isObject, type JsonObject, type JsonValue } from '../core/json.ts'

/** How much of each end of a message is looked at, characters. People say what they want first or last. */
const END_CHARS = 2_048

/** What the caller last said, its text parts joined, shortened in the middle. */
export function lastUserText(request: JsonObject): string {
  const { messages } = request
  if (!Array.isArray(messages)) return ''
  const last = messages.findLast((message) => isObject(message) && message.role === 'user')
  return isObject(last) ? shortened(contentText(last.content)) : ''
}

export function shortened(text: string): string {
  if (text.length <= 2 * END_CHARS) return text
  return `${text.slice(0, END_CHARS)}\n${text.slice(-END_CHARS)}`
}

function contentText(content: JsonValue | undefined): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content
    .map((part) => (isObject(part) && part.type === 'text' && typeof part.text === 'string' ? part.text : ''))
    .join('\n')
}
