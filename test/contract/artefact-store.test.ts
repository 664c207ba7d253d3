import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createClient } from '@supabase/supabase-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { folderShelf } from '../../scripts/stack/folder-shelf.ts'
import type { EmbeddedSupabase } from '../../scripts/stack/supabase.ts'
import { utf8 } from '../../src/core/bytes.ts'
import type { JsonValue } from '../../src/core/json.ts'
import { DamagedArtefactError } from '../../src/training/artefacts/damaged.ts'
import type { Shelf } from '../../src/training/artefacts/shelf.ts'
import { type ArtefactStore, artefactStore } from '../../src/training/artefacts/store.ts'
import { BUCKET, supabaseShelf } from '../../src/training/artefacts/supabase-shelf.ts'
import { realClock } from '../support/artefacts.ts'
import { startTestSupabase, supabaseClient } from '../support/stores.ts'

interface Subject {
  readonly shelf: Shelf
  readonly store: ArtefactStore
  /** Where its bytes lie, so that they can be changed behind its back. */
  readonly folder: string
}

const MAX_BYTES = 100_000

/** What every store of artefacts promises, wherever they lie. */
function contract(title: string, subject: () => Subject): void {
  describe(title, () => {
    const path = (name: string) => join(subject().folder, name)
    const change = (name: string, how: (text: string) => string) =>
      writeFileSync(path(name), how(readFileSync(path(name), 'utf8')))
    const damaged = (name: string, damage: RegExp) =>
      expect(subject().store.download(name)).rejects.toMatchObject({
        name: 'DamagedArtefactError',
        artefact: name,
        damage: expect.stringMatching(damage),
      })

    it('gives back what it was given, to the byte', async () => {
      const { store } = subject()
      const bytes = utf8('{ "a": [1, "ü 𝄞 \\u0000"],\n "b": null }\n')
      const made = await store.upload('models/kept-2026-01-01.json', bytes)
      expect(made).toEqual({ sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length })
      expect(await store.download('models/kept-2026-01-01.json')).toEqual(bytes)
      expect(await store.checksum('models/kept-2026-01-01.json')).toEqual(made)
      expect(await store.loadJSON('models/kept-2026-01-01.json')).toEqual({ a: [1, 'ü 𝄞 \u0000'], b: null })
      await store.upload('oracle/value.json', { weights: [0.5, -1e-9], name: 'x' })
      expect(await store.loadJSON('oracle/value.json')).toEqual({ weights: [0.5, -1e-9], name: 'x' })
    })

    it('states the checksum as sha256sum reads it', async () => {
      const { store, folder } = subject()
      const { sha256, bytes } = await store.upload('models/deep/er/sum.json', [1])
      expect(readFileSync(join(folder, 'models/deep/er/sum.json.sha256'), 'utf8')).toBe(
        `# ${bytes} bytes\n${sha256}  sum.json\n`,
      )
    })

    it('knows what is there and what is not', async () => {
      const { store } = subject()
      await store.upload('audit/logs/there.json', {})
      expect(await store.exists('audit/logs/there.json')).toBe(true)
      expect(await store.exists('audit/logs/absent.json')).toBe(false)
      await expect(store.download('audit/logs/absent.json')).rejects.toMatchObject({ code: 'not_found' })
      await expect(store.loadJSON('audit/exports/absent.json')).rejects.toMatchObject({ code: 'not_found' })
      expect(await store.getLatest('audit/exports/*')).toBeUndefined()
    })

    it('lists by pattern, a segment at a time, newest first', async () => {
      const { store } = subject()
      for (const name of [
        'catalogs/a-2026-01-02.json',
        'catalogs/a-2026-01-10.json',
        'catalogs/b-2025-12-31.json',
        'catalogs/a.json',
        'catalogs/x/a-2026-03-01.json',
        'catalogs/y/a-2026-02-01.json',
        'catalogs/y/z/a-2027-01-01.json',
      ])
        await store.upload(name, { name })
      expect(await store.list('catalogs/*')).toEqual([
        'catalogs/a-2026-01-10.json',
        'catalogs/a-2026-01-02.json',
        'catalogs/b-2025-12-31.json',
        'catalogs/a.json',
      ])
      expect(await store.list('catalogs/?-2026-01-??.json')).toHaveLength(2)
      expect(await store.list('catalogs/*/a*.json')).toEqual([
        'catalogs/x/a-2026-03-01.json',
        'catalogs/y/a-2026-02-01.json',
      ])
      expect(await store.list('catalogs/a_2026*')).toEqual([])
    })

    it('takes for the latest what its name says, not what came last', async () => {
      const { store } = subject()
      await store.upload('models/order-20260301T000000Z.json', { made: 'March' })
      await store.upload('models/order-2026-02-28T23-59-59-999Z.json', { made: 'February' })
      await store.upload('models/order-1735689600000.json', { made: 'January of the year before' })
      await store.upload('models/order-undated.json', {})
      expect(await store.getLatest('models/order-*.json')).toBe('models/order-20260301T000000Z.json')
    })

    it('keeps a name to its first content', async () => {
      const { store } = subject()
      await store.upload('models/one.json', { v: 1 })
      await store.upload('models/one.json', { v: 1 })
      await expect(store.upload('models/one.json', { v: 2 })).rejects.toMatchObject({ code: 'conflict' })
      expect(await store.loadJSON('models/one.json')).toEqual({ v: 1 })
    })

    it('lets one of several uploads win, wholly', async () => {
      const { store } = subject()
      for (let round = 0; round < 5; round++) {
        const name = `models/race-${round}.json`
        const results = await Promise.allSettled(
          [0, 1, 2, 3].map((v) => store.upload(name, { v, text: String(v).repeat(1_000 * (v + 1)) })),
        )
        const won = results.flatMap(({ status }, v) => (status === 'fulfilled' ? [v] : []))
        expect(won).toHaveLength(1)
        expect(await store.loadJSON(name)).toMatchObject({ v: won[0] })
        for (const result of results)
          if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'conflict' })
      }
    })

    it('lets uploads of the same content all succeed', async () => {
      const { store } = subject()
      const uploads = [0, 1, 2, 3].map(() => store.upload('models/same.json', { v: 1 }))
      const made = await Promise.all(uploads)
      expect(new Set(made.map(({ sha256 }) => sha256)).size).toBe(1)
      expect(await store.loadJSON('models/same.json')).toEqual({ v: 1 })
    })

    it.each<[string, (text: string) => string, RegExp]>([
      ['truncated', (text) => text.slice(0, -1), /has 40 of the 41 bytes/],
      ['emptied', () => '', /has 0 of the 41 bytes/],
      ['doubled', (text) => text + text, /longer than the 41 bytes/],
      ['with a flipped byte', (text) => text.replace('7', '6'), /another SHA-256/],
      ['a page instead', () => '<html><body>Bad gateway</body></html>', /of the 41 bytes/],
    ])('refuses what is %s, and a new upload mends it', async (how, damage, expected) => {
      const { store } = subject()
      const name = `models/damaged-${how.replaceAll(' ', '-')}.json`
      const content = { weights: [1, 2, 3, 4, 5, 6, 7], v: 'quality' }
      await store.upload(name, content)
      change(name, damage)
      await damaged(name, expected)
      await expect(store.loadJSON(name)).rejects.toBeInstanceOf(DamagedArtefactError)
      await store.upload(name, content)
      expect(await store.loadJSON(name)).toEqual(content)
    })

    it.each<[string, (text: string) => string, RegExp]>([
      ['of another content', (text) => text.replace(/^[0-9a-f]{64}/m, 'a'.repeat(64)), /another SHA-256/],
      ['with a larger size', (text) => text.replace(/# \d+/, '# 99'), /of the 99 bytes/],
      ['with a smaller size', (text) => text.replace(/# \d+/, '# 1'), /longer than the 1 bytes/],
      ['with a size beyond all', (text) => text.replace(/# \d+/, '# 999999999'), /larger than 100000/],
      ['of another artefact', (text) => text.replace('sum-of', 'some'), /not readable or is of another/],
      ['of nonsense', () => '<html>', /not readable/],
      ['without end', (text) => text + 'x'.repeat(1_000), /too long/],
      ['not text', () => '\ufffd\u0000', /not readable/],
    ])('refuses a checksum %s', async (how, damage, expected) => {
      const name = `models/sum-of-${how.replaceAll(' ', '-')}.json`
      await subject().store.upload(name, { v: 1 })
      change(`${name}.sha256`, damage)
      await damaged(name, expected)
    })

    it('refuses what was laid there without a checksum, and does not write over it', async () => {
      const { store, shelf } = subject()
      await shelf.create('models/by-hand.json', utf8('{"by":"hand"}'), 'application/json')
      await damaged('models/by-hand.json', /without its checksum/)
      expect(await store.exists('models/by-hand.json')).toBe(false)
      await expect(store.upload('models/by-hand.json', { v: 1 })).rejects.toMatchObject({ code: 'conflict' })
      await store.upload('models/by-hand.json', { by: 'hand' })
      expect(await store.loadJSON('models/by-hand.json')).toEqual({ by: 'hand' })
    })

    it.each<[string, JsonValue | Uint8Array<ArrayBuffer>]>([
      ['no JSON', utf8('{"a":1}{"a":1}')],
      ['no UTF-8', new Uint8Array([0x22, 0xff, 0x22])],
      ['a byte order mark', utf8('\ufeff{}')],
      ['__proto__', utf8('{"a":[{"__proto__":{"polluted":true}}]}')],
      ['constructor.prototype', utf8('{"constructor":{"prototype":{"polluted":true}}}')],
      ['half a surrogate pair', utf8('["\\ud800"]')],
      ['infinity', utf8('[1e400]')],
      ['too deep', utf8('['.repeat(100) + ']'.repeat(100))],
      ['NaN', [Number.NaN]],
      ['too large', 'x'.repeat(MAX_BYTES)],
    ])('stores nothing of %s', async (how, content) => {
      const { store } = subject()
      const name = `models/refused-${how.replaceAll(' ', '-')}.json`
      await expect(store.upload(name, content)).rejects.toMatchObject({ code: 'invalid_request' })
      expect(await store.exists(name)).toBe(false)
      expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
    })

    it.each(['{"__proto__":{"polluted":true}}', '['.repeat(100) + ']'.repeat(100), 'nonsense'])(
      'does not load %s, however sound its checksum',
      async (text) => {
        const { store, folder } = subject()
        const name = `models/hostile-${createHash('md5').update(text).digest('hex')}.json`
        await store.upload(name, [])
        const sha256 = createHash('sha256').update(text).digest('hex')
        writeFileSync(path(name), text)
        const line = `# ${text.length} bytes\n${sha256}  ${name.slice(7)}\n`
        writeFileSync(join(folder, `${name}.sha256`), line)
        await expect(store.loadJSON(name)).rejects.toBeInstanceOf(DamagedArtefactError)
        expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
      },
    )

    it('takes the keys of code for what they are', async () => {
      const { store } = subject()
      const symbols = { constructor: 3, prototype: 1, toString: ['a'], hasOwnProperty: null }
      await store.upload('training-data/symbols.json', symbols as unknown as JsonValue)
      expect(await store.loadJSON('training-data/symbols.json')).toEqual(symbols)
    })

    it.each([
      '../models/a.json',
      'models/../../a.json',
      '/etc/passwd.json',
      'models//a.json',
      'models/.a.json',
      'models/a.json/',
      'models/a.txt',
      'models/a.json.sha256',
      'other/a.json',
      'models/a\\b.json',
      'models/a%2fb.json',
      'models/a\u0000.json',
      'models/ä.json',
      `models/${'a'.repeat(300)}.json`,
      '',
    ])('refuses the name %j', async (name) => {
      const { store } = subject()
      for (const act of [store.download, store.loadJSON, store.exists, store.checksum])
        await expect(act(name)).rejects.toMatchObject({ code: 'invalid_request' })
      await expect(store.upload(name, {})).rejects.toMatchObject({ code: 'invalid_request' })
    })

    it.each([
      '*',
      '*/a.json',
      'models',
      'models/../*',
      '/models/*',
      'models/[a-z]*',
      'models/{a,b}',
      'audit/*',
    ])('refuses the pattern %j', async (glob) => {
      await expect(subject().store.list(glob)).rejects.toMatchObject({ code: 'invalid_request' })
    })

    it('lists nothing whose name it would refuse', async () => {
      const { store, folder } = subject()
      mkdirSync(dirname(path('oracle/odd/x')), { recursive: true })
      await store.upload('oracle/odd/good.json', {})
      if (folder.endsWith(BUCKET)) return
      for (const odd of ['.hidden.json', 'a b.json', 'c.txt', 'd.json.tmp'])
        writeFileSync(path(`oracle/odd/${odd}`), '')
      expect(await store.list('oracle/odd/*')).toEqual(['oracle/odd/good.json'])
    })
  })
}

describe('a folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'beast-artefacts-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const shelf = folderShelf(folder)
  contract('as a store', () => ({ shelf, store: artefactStore(shelf, MAX_BYTES), folder }))
})

describe('Supabase Storage', () => {
  let supabase: EmbeddedSupabase
  beforeAll(async () => {
    supabase = await startTestSupabase()
  })
  afterAll(() => supabase?.close())
  const shelf = (key = supabase.secretKey) =>
    supabaseShelf({
      connect: () => supabaseClient({ url: supabase.url, secretKey: key }),
      clock: realClock,
      deadlineMs: 10_000,
    })
  contract('as a store', () => ({
    shelf: shelf(),
    store: artefactStore(shelf(), MAX_BYTES),
    folder: join(supabase.storageDir, BUCKET),
  }))

  it('lists more than a page', async () => {
    const store = artefactStore(shelf())
    await supabase.sql(
      `insert into storage.objects (bucket_id, name) select 'ml-artifacts', 'training-data/many/' || n || '.json' from generate_series(1, 2100) n`,
    )
    expect(await store.list('training-data/many/*')).toHaveLength(2_100)
  })

  describe('whatever other policies the project has', () => {
    const name = 'models/secret.json'
    beforeAll(async () => {
      await artefactStore(shelf()).upload(name, { secret: true })
      await supabase.sql('create policy "all of storage" on storage.objects using (true) with check (true)')
      await supabase.sql('create policy "all of it" on storage.buckets using (true) with check (true)')
      await supabase.sql(`insert into storage.buckets (id, name) values ('other', 'other')`)
    })

    const options = { auth: { persistSession: false, autoRefreshToken: false } }
    const anon = () => createClient(supabase.url, supabase.publishableKey, options)
    const user = async () => {
      const client = createClient(supabase.url, supabase.publishableKey, options)
      const { error } = await client.auth.signUp({
        email: `${crypto.randomUUID()}@example.com`,
        password: 'long enough 1!',
      })
      expect(error).toBeNull()
      return client
    }

    it.each([
      ['anon', async () => anon()],
      ['a user', user],
    ])(
      '%s neither reads nor writes the bucket, and other buckets are left to their own policies',
      async (_who, connect) => {
        const client = await connect()
        const bucket = client.storage.from(BUCKET)
        expect((await bucket.download(name)).error).not.toBeNull()
        expect((await bucket.info(name)).error).not.toBeNull()
        expect((await bucket.createSignedUrl(name, 60)).error).not.toBeNull()
        expect((await bucket.list('models')).data ?? []).toEqual([])
        const type = { contentType: 'application/json' }
        expect((await bucket.upload('models/planted.json', '{}', type)).error).not.toBeNull()
        expect((await bucket.upload(name, '{}', { ...type, upsert: true })).error).not.toBeNull()
        expect((await bucket.move(name, 'models/moved.json')).error).not.toBeNull()
        expect((await bucket.copy(name, 'models/copied.json')).error).not.toBeNull()
        expect((await bucket.remove([name])).data ?? []).toEqual([])
        expect((await client.storage.updateBucket(BUCKET, { public: true })).error).not.toBeNull()
        expect((await client.storage.deleteBucket(BUCKET)).error).not.toBeNull()
        expect((await fetch(`${supabase.url}/storage/v1/object/public/${BUCKET}/${name}`)).ok).toBe(false)
        expect(await artefactStore(shelf()).loadJSON(name)).toEqual({ secret: true })
        expect(
          (await client.storage.from('other').upload(`${crypto.randomUUID()}.json`, '{}', type)).error,
        ).toBeNull()
      },
    )

    it('is a store in trouble to whoever may not write', async () => {
      const store = artefactStore(shelf(supabase.publishableKey))
      await expect(store.upload('models/mine.json', {})).rejects.toMatchObject({ code: 'store_unavailable' })
      await expect(store.download(name)).rejects.toMatchObject({ code: 'not_found' })
      expect(await store.list('models/*')).toEqual([])
    })

    it('takes JSON and checksums only, of a bounded size', async () => {
      const bucket = supabaseClient(supabase).storage.from(BUCKET)
      const page = await bucket.upload('models/page.html', '<html>', { contentType: 'text/html' })
      expect(page.error).not.toBeNull()
      const large = await bucket.upload('models/large.json', new Uint8Array(16 * 1024 * 1024 + 1), {
        contentType: 'application/json',
      })
      expect(large.error).not.toBeNull()
    })
  })
})
