import type { WireFormat } from '../../src/providers/adapter.ts'
import { fixture, streamText } from './provider-fixtures.ts'
import type { Asked, Served } from './provider-server.ts'

/** How a provider misbehaves, by a word in the prompt. The key is that of the request. */
export const TRICKS: Readonly<Record<string, (key: string) => Served>> = {
  refuse: (key) => ({ status: 401, text: echoed(key), headers: { 'www-authenticate': key } }),
  reject: (key) => ({ status: 400, text: echoed(key) }),
  fail: (key) => ({ status: 500, text: echoed(key), headers: { 'x-request-id': key } }),
  limit: (key) => ({ status: 429, text: echoed(key), headers: { 'retry-after': `${key}` } }),
  redirect: (key) => ({ status: 302, text: echoed(key), headers: { location: `/?key=${key}` } }),
  page: (key) => ({ contentType: 'text/html', text: `<title>${key}</title>` }),
  nonsense: (key) => ({ text: `{"key":"${key}` }),
  disguise: (key) => ({ text: echoed(key) }),
  breakStream: (key) => ({
    contentType: 'text/event-stream',
    text: `event: error\ndata: ${echoed(key)}\n\n`,
  }),
  cutStream: (key) => ({ contentType: 'text/event-stream', text: `data: {"key":"${key}`, cutAt: 30 }),
}

/** An error of every format at once. */
const echoed = (key: string): string => {
  const error = {
    message: `Incorrect API key provided: ${key}. Find yours at https://x/?key=${key}`,
    type: key,
    code: key,
    status: key,
    param: key,
    details: [{ reason: key, violations: [{ quotaId: key }] }],
    innererror: { code: key },
  }
  return JSON.stringify({ type: 'error', error, errors: [error], request_id: key, promptFeedback: {} })
}

export const keyIn = ({
  authorization,
  'x-api-key': anthropic,
  'x-goog-api-key': google,
}: Asked['headers']): string => String(anthropic ?? google ?? authorization).replace('Bearer ', '')

/** A provider that says back the key that it was given, wherever an answer has room for one. */
export function carelessly(asked: Asked): Served {
  const [, format = 'openai'] = asked.path.split('/')
  // Even its list of models names the key.
  if (asked.method === 'GET') {
    const ids = [keyIn(asked.headers), 'well']
    const list = { data: ids.map((id) => ({ id })), models: ids.map((name) => ({ name: `models/${name}` })) }
    return { text: JSON.stringify(list) }
  }
  const [, trick = ''] = /trick (\w+)/.exec(asked.body) ?? []
  const told = TRICKS[trick]?.(keyIn(asked.headers))
  if (told) return told
  const plain = fixture(format as WireFormat, 'plain')
  const streamed = asked.path.includes('stream') || /"stream":true/.test(asked.body)
  return streamed
    ? { contentType: 'text/event-stream', text: streamText(plain) }
    : { text: JSON.stringify(plain.answer) }
}
