import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { App } from '@supabase/lite'

type StorageAdapter = NonNullable<App['_storageAdapter']>
type Uploaded = Awaited<ReturnType<StorageAdapter['headObject']>>

/**
 * The rights on `storage` that a hosted project starts with. What they open, row-level security closes again.
 * The embedded schema comes without them, and then not even the service role gets in.
 */
export const STORAGE_RIGHTS = `
grant usage on schema storage to anon, authenticated, service_role;
grant all on all tables in schema storage to anon, authenticated, service_role;
grant execute on all functions in schema storage to anon, authenticated, service_role;
`

/** The bytes of embedded Supabase Storage, as files at `{root}/{bucket}/{key}`. */
export function storageOnDisk(root: string): StorageAdapter {
  const pathOf = (bucket: string, key: string) => join(root, bucket, key)
  const describe = async (bucket: string, key: string, mimetype = 'application/json'): Promise<Uploaded> => {
    const { size, mtime } = await stat(pathOf(bucket, key))
    const eTag = `"${size.toString(16)}-${mtime.getTime().toString(16)}"`
    return { cacheControl: 'no-cache', contentLength: size, size, mimetype, lastModified: mtime, eTag }
  }
  const write = async (bucket: string, key: string, bytes: Uint8Array) => {
    const path = pathOf(bucket, key)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(`${path}.tmp`, bytes)
    await rename(`${path}.tmp`, path)
  }
  const remove = (bucket: string, key: string) => rm(pathOf(bucket, key), { force: true })
  return {
    driver: undefined,
    getObject: async (bucket, key) => ({
      metadata: await describe(bucket, key),
      httpStatusCode: 200,
      body: await readFile(pathOf(bucket, key)),
    }),
    uploadObject: async (bucket, key, _version, body, contentType) => {
      const bytes = body instanceof Uint8Array ? body : await new Response(body as ReadableStream).bytes()
      await write(bucket, key, bytes)
      return describe(bucket, key, contentType)
    },
    deleteObject: remove,
    deleteObjects: async (bucket, keys) => {
      for (const key of keys) await remove(bucket, key)
    },
    copyObject: async (fromBucket, from, _version, toBucket, to) => {
      const bytes = await readFile(pathOf(fromBucket, from))
      await write(toBucket, to, bytes)
      return { httpStatusCode: 200, eTag: `"${createHash('md5').update(bytes).digest('hex')}"` }
    },
    headObject: (bucket, key) => describe(bucket, key),
    privateAssetUrl: async (bucket, key) => `file://${pathOf(bucket, key)}`,
  }
}

const LIST = /^\/storage\/v1\/object\/list\/[^/]+$/
const ALL = 1_000_000

interface ListedObject {
  readonly name: string
  readonly id: string | null
}

/**
 * Storage requests on their way to the embedded app, which departs from hosted Supabase in two things:
 * its listing ignores folders, and two uploads of one new name at once can both write their bytes.
 */
export function storageFront(ask: (request: Request) => Promise<Response>) {
  let lastWrite: Promise<unknown> = Promise.resolve()
  return async (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url)
    if (request.method === 'POST' && LIST.test(pathname)) return listFolder(request, ask)
    if (!pathname.startsWith('/storage/v1/') || ['GET', 'HEAD'].includes(request.method)) return ask(request)
    const mine = lastWrite.then(() => ask(request))
    lastWrite = mine.catch(() => {})
    return mine
  }
}

/** What lies directly in a folder: objects by their name in it, folders without an id. */
async function listFolder(request: Request, ask: (request: Request) => Promise<Response>): Promise<Response> {
  const { prefix = '', limit = 100, offset = 0, ...rest } = (await request.json()) as Record<string, unknown>
  const folder = prefix === '' ? '' : `${String(prefix).replace(/\/+$/, '')}/`
  const body = JSON.stringify({ ...rest, prefix: folder, limit: ALL, offset: 0 })
  const headers = new Headers(request.headers)
  headers.delete('content-length')
  const answer = await ask(new Request(request.url, { method: 'POST', headers, body }))
  if (!answer.ok) return answer
  const entries = new Map<string, ListedObject>()
  for (const object of (await answer.json()) as ListedObject[]) {
    // The app asks by LIKE, where "_" is any character.
    if (!object.name.startsWith(folder)) continue
    const [name = '', ...below] = object.name.slice(folder.length).split('/')
    entries.set(name, below.length === 0 ? { ...object, name } : { name, id: null })
  }
  const page = [...entries.values()].slice(Number(offset), Number(offset) + Number(limit))
  return Response.json(page)
}
