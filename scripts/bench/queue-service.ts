import { type Listening, listen, readText } from '../stack/http.ts'

/** What workerd's queue binding speaks to: it takes whatever is sent, and keeps nothing. */
export const startQueueService = (): Promise<Listening> =>
  listen(0, async (request, response) => {
    await readText(request).catch(() => '')
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end('{"metadata":{"metrics":{"backlogCount":0,"backlogBytes":0}}}')
  })
