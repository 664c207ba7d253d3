import { type Listening, listen, readText } from '../stack/http.ts'
import type { Note } from './list-prices.ts'

/** A message is written, read and deleted. */
const OPERATIONS_A_MESSAGE = 3
/** A message of more counts as several. */
const CHARGED_BYTES = 64 * 1024

/**
 * What workerd's queue binding speaks to: it takes whatever is sent, and keeps nothing.
 * @param note told of what becomes of each message until it is gone
 */
export const startQueueService = (note: Note = () => {}): Promise<Listening> =>
  listen(0, async (request, response) => {
    const text = await readText(request).catch(() => '')
    note('queue operation', OPERATIONS_A_MESSAGE * Math.ceil(Buffer.byteLength(text) / CHARGED_BYTES))
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end('{"metadata":{"metrics":{"backlogCount":0,"backlogBytes":0}}}')
  })
