import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { MODEL } from './workload.ts'

const TEXT = 'An answer of the usual length, long enough to be like one and the same for everyone. '.repeat(9)
const COMPLETION = JSON.stringify({
  id: 'chatcmpl-bench',
  object: 'chat.completion',
  created: 1_700_000_000,
  model: 'model',
  choices: [
    {
      index: 0,
      message: { role: 'assistant', content: TEXT, refusal: null },
      logprobs: null,
      finish_reason: 'stop',
    },
  ],
  usage: { prompt_tokens: 480, completion_tokens: 190, total_tokens: 670 },
})
const chunk = (choice: object) =>
  `data: ${JSON.stringify({ id: 'chatcmpl-bench', object: 'chat.completion.chunk', created: 1_700_000_000, model: 'model', choices: [choice] })}\n\n`
const EVENTS = [
  ...Array.from({ length: 20 }, (_, i) =>
    chunk({ index: 0, delta: { content: `word ${i} ` }, finish_reason: null }),
  ),
  chunk({ index: 0, delta: {}, finish_reason: 'stop' }),
  'data: [DONE]\n\n',
].join('')

const answer = (type: string, text: string) =>
  Buffer.from(
    `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  )
const PLAIN = answer('application/json', COMPLETION)
const STREAM = answer('text/event-stream', EVENTS)
const MODELS = answer('application/json', JSON.stringify({ object: 'list', data: [{ id: MODEL }] }))
/** The list of models is the only thing that is read with GET. */
const LETTER_G = 'G'.charCodeAt(0)

/** A provider that answers at once and does nothing else: no parsing, fixed bytes. */
export async function startMockUpstream(): Promise<{ port: number; close(): void }> {
  const server = createServer((socket) => {
    socket.setNoDelay(true)
    let pending = Buffer.alloc(0)
    socket.on('error', () => {})
    socket.on('data', (data) => {
      pending = pending.length === 0 ? data : Buffer.concat([pending, data])
      for (;;) {
        const length = requestLength(pending)
        if (length === undefined || pending.length < length) return
        const streamed = pending.subarray(0, length).includes('"stream":true')
        socket.write(pending[0] === LETTER_G ? MODELS : streamed ? STREAM : PLAIN)
        pending = pending.subarray(length)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: (server.address() as AddressInfo).port, close: () => server.close() }
}

/** The bytes of the first request in the buffer: head and stated body, or a chunked one to its last chunk. */
function requestLength(buffer: Buffer): number | undefined {
  const end = buffer.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const head = buffer.toString('latin1', 0, end).toLowerCase()
  const stated = /content-length: (\d+)/.exec(head)
  if (stated) return end + 4 + Number(stated[1])
  if (!head.includes('transfer-encoding: chunked')) return end + 4
  const last = buffer.indexOf('0\r\n\r\n', end + 4)
  return last < 0 ? undefined : last + 5
}
