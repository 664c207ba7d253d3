import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { folderShelf } from '../../../scripts/stack/folder-shelf.ts'
import type { EmbeddedSupabase } from '../../../scripts/stack/supabase.ts'
import type { JsonValue } from '../../../src/core/json.ts'
import { isObject } from '../../../src/core/json.ts'
import {
  type ArtefactLoader,
  artefactLoader,
  type LoadWarning,
} from '../../../src/training/artefacts/load.ts'
import { type ArtefactStore, artefactStore } from '../../../src/training/artefacts/store.ts'
import { BUCKET, supabaseShelf } from '../../../src/training/artefacts/supabase-shelf.ts'
import { realClock } from '../../support/artefacts.ts'
import { type Fault, type FaultProxy, startFaultProxy } from '../../support/fault-proxy.ts'
import { startTestSupabase, supabaseClient } from '../../support/stores.ts'

let supabase: EmbeddedSupabase
let proxy: FaultProxy
let direct: ArtefactStore
let localDir: string
let local: ArtefactStore
let warnings: LoadWarning[]
let loader: ArtefactLoader

const storeAt = (url: string, deadlineMs: number): ArtefactStore =>
  artefactStore(
    supabaseShelf({
      connect: () => supabaseClient({ url, secretKey: supabase.secretKey }),
      clock: realClock,
      deadlineMs,
    }),
  )
const freshLoader = (more: { readonly local?: ArtefactStore } = { local }) =>
  artefactLoader({ storage: storeAt(proxy.url, 1_000), report: (warning) => warnings.push(warning), ...more })

beforeAll(async () => {
  supabase = await startTestSupabase()
  proxy = await startFaultProxy(supabase.url)
  direct = storeAt(supabase.url, 10_000)
})
afterAll(async () => {
  await proxy?.close()
  await supabase?.close()
})
beforeEach(() => {
  localDir = mkdtempSync(join(tmpdir(), 'beast-local-'))
  local = artefactStore(folderShelf(localDir))
  warnings = []
  loader = freshLoader()
})
afterEach(() => {
  proxy.set({ kind: 'none' })
  rmSync(localDir, { recursive: true, force: true })
})

interface Model {
  readonly version: number
}

function toModel(value: JsonValue): Model {
  if (!isObject(value) || typeof value.version !== 'number') throw new TypeError('no model')
  return { version: value.version }
}

const onDisk = (name: string) => join(supabase.storageDir, BUCKET, name)
const damage = (name: string, how: (text: string) => string) =>
  writeFileSync(onDisk(name), how(readFileSync(onDisk(name), 'utf8')))
const said = () => warnings.map(({ source }) => source)

/** A text with a sound checksum, past the judge that uploads meet. */
async function plant(name: string, text: string): Promise<void> {
  await direct.upload(name, [])
  const sha256 = createHash('sha256').update(text).digest('hex')
  writeFileSync(onDisk(name), text)
  writeFileSync(
    onDisk(`${name}.sha256`),
    `# ${Buffer.byteLength(text)} bytes\n${sha256}  ${name.split('/').pop()}\n`,
  )
}

const DAMAGES: readonly [string, (text: string) => string][] = [
  ['truncated', (text) => text.slice(0, -5)],
  ['doubled', (text) => text + text],
  ['flipped', (text) => text.replace('2', '3')],
  ['html', () => '<html><body>502</body></html>'],
]

describe('a newer model that is damaged', () => {
  it.each(DAMAGES)('(%s) leaves the last good one in use, and says so', async (how, change) => {
    await direct.upload(`models/${how}-2026-01-01.json`, { version: 1 })
    expect(await loader.loadModel(how, toModel)).toMatchObject({ value: { version: 1 }, from: 'storage' })
    expect(warnings).toEqual([])

    const newer = `models/${how}-2026-02-02.json`
    await direct.upload(newer, { version: 2 })
    damage(newer, change)
    expect(await loader.loadModel(how, toModel)).toEqual({
      value: { version: 1 },
      name: `models/${how}-2026-01-01.json`,
      from: 'memory',
    })
    expect(warnings[0]).toMatchObject({
      source: 'storage',
      artefact: newer,
      cause: { name: 'DamagedArtefactError' },
    })
    expect(warnings[1]?.message).toContain(`models/${how}-2026-01-01.json`)

    await direct.upload(newer, { version: 2 })
    expect(await loader.loadModel(how, toModel)).toMatchObject({ value: { version: 2 }, from: 'storage' })
  })

  it.each([
    ['proto', '{"version":2,"__proto__":{"version":3}}'],
    ['deep', `{"version":2,"x":${'['.repeat(200)}${']'.repeat(200)}}`],
    ['no-json', '{"version":2}{"version":2}'],
    ['shapeless', '{"version":"two"}'],
  ])('(%s) is not used, however sound its checksum', async (how, text) => {
    await direct.upload(`models/${how}-2026-01-01.json`, { version: 1 })
    await loader.loadModel(how, toModel)
    await plant(`models/${how}-2026-02-02.json`, text)
    expect(await loader.loadModel(how, toModel)).toMatchObject({ value: { version: 1 }, from: 'memory' })
    expect(said()).toEqual(['storage', 'memory'])
  })

  it('is passed over for an older one while nothing good is known', async () => {
    await direct.upload('models/cold-2026-01-01.json', { version: 1 })
    await direct.upload('models/cold-2026-02-02.json', { version: 2 })
    damage('models/cold-2026-02-02.json', (text) => text.slice(1))
    expect(await loader.loadModel('cold', toModel)).toMatchObject({ value: { version: 1 }, from: 'storage' })
    expect(said()).toEqual(['storage'])
  })
})

describe('while storage is away', () => {
  const FAULTS: readonly [string, Fault][] = [
    ['500', { kind: 'answer', status: 500, body: '{"message":"down"}' }],
    ['503 as a page', { kind: 'answer', status: 503, body: '<html>down</html>' }],
    ['200 with a page', { kind: 'answer', status: 200, body: '<html>hello</html>' }],
    ['404 as a page', { kind: 'answer', status: 404, body: '<html>not here</html>' }],
    ['200 with another JSON', { kind: 'answer', status: 200, body: '{"version":666}' }],
    ['cut connections', { kind: 'reset' }],
    ['silence', { kind: 'delay', ms: 20_000 }],
  ]
  beforeAll(() => direct.upload('models/away-2026-01-01.json', { version: 1 }))

  it.each(FAULTS)('(%s) the last good one is used', async (_how, fault) => {
    await loader.loadModel('away', toModel)
    proxy.set(fault)
    expect(await loader.loadModel('away', toModel)).toMatchObject({ value: { version: 1 }, from: 'memory' })
    expect(said()).toEqual(['storage', 'memory'])
    // One request and no second try.
    expect(proxy.seen).toBe(1)
  })

  it.each(FAULTS)('(%s) and nothing is known yet, the local copy is used', async (_how, fault) => {
    await local.upload('models/away-2025-12-31.json', { version: 0 })
    await local.upload('models/away-2025-06-30.json', { version: -1 })
    proxy.set(fault)
    expect(await loader.loadModel('away', toModel)).toMatchObject({ value: { version: 0 }, from: 'local' })
    expect(said()).toEqual(['storage', 'local'])
    expect(warnings[1]?.message).toContain(localDir)
  })

  it.each(FAULTS)('(%s) and there is no copy either, the failure says what to do', async (_how, fault) => {
    proxy.set(fault)
    await expect(freshLoader({}).loadModel('away', toModel)).rejects.toMatchObject({
      code: 'not_found',
      tip: 'Upload one: npm run artefacts -- put models/away.json FILE --stamp',
    })
  })

  it('goes away between the listing and the download, it is the same', async () => {
    await loader.loadModel('away', toModel)
    await direct.upload('models/away-2026-06-06.json', { version: 6 })
    const half: ArtefactStore = {
      ...storeAt(supabase.url, 1_000),
      download: storeAt('http://127.0.0.1:1', 1_000).download,
      checksum: storeAt('http://127.0.0.1:1', 1_000).checksum,
    }
    await local.upload('models/away-2020-01-01.json', { version: -6 })
    const other = artefactLoader({ storage: half, local, report: (warning) => warnings.push(warning) })
    expect(await other.loadModel('away', toModel)).toMatchObject({ value: { version: -6 }, from: 'local' })
  })

  it('takes an upload for failed, and the same upload for done once storage is back', async () => {
    for (const [, fault] of FAULTS.slice(0, 6)) {
      proxy.set(fault)
      await expect(storeAt(proxy.url, 500).upload('models/tried.json', { version: 1 })).rejects.toThrow()
    }
    proxy.set({ kind: 'none' })
    await storeAt(proxy.url, 5_000).upload('models/tried.json', { version: 1 })
    expect(await direct.loadJSON('models/tried.json')).toEqual({ version: 1 })
  })
})

describe('a model', () => {
  it('is the newest by its name, and not one whose name only begins alike', async () => {
    await direct.upload('models/quality-2026-03-01.json', { version: 3 })
    await direct.upload('models/quality-2026-02-01.json', { version: 2 })
    await direct.upload('models/quality-v2-2026-09-01.json', { version: 9 })
    expect(await loader.loadModel('quality', toModel)).toMatchObject({ value: { version: 3 } })
    expect(await loader.loadModel('quality-v2', toModel)).toMatchObject({ value: { version: 9 } })
  })

  it('that was taken back is not kept alive by memory', async () => {
    await direct.upload('models/back-2026-01-01.json', { version: 1 })
    await direct.upload('models/back-2026-02-02.json', { version: 2 })
    expect(await loader.loadModel('back', toModel)).toMatchObject({ value: { version: 2 } })
    const bucket = supabaseClient(supabase).storage.from(BUCKET)
    const gone = ['models/back-2026-02-02.json', 'models/back-2026-02-02.json.sha256']
    expect((await bucket.remove(gone)).error).toBeNull()
    expect(await loader.loadModel('back', toModel)).toMatchObject({ value: { version: 1 }, from: 'storage' })
  })

  it('is not downloaded again, and what a caller does to it stays with that caller', async () => {
    await direct.upload('models/twice-2026-01-01.json', { version: 1, list: [1] })
    const first = await loader.loadModel('twice', (value) => value as { list: number[] })
    first.value.list.push(666)
    proxy.set({ kind: 'none' })
    const second = await loader.loadModel('twice', (value) => value as { list: number[] })
    expect(second.value.list).toEqual([1])
    // The listing and the checksum.
    expect(proxy.seen).toBe(2)
  })

  it.each(['../secrets', 'a/../../b', '', 'a*', 'a\0'])('has no name like %j', async (name) => {
    await expect(loader.loadModel(name, toModel)).rejects.toMatchObject({ code: 'invalid_request' })
    await expect(loader.loadTrainingData(name, toModel)).rejects.toMatchObject({ code: 'invalid_request' })
  })
})

describe('training data', () => {
  it('is found as models are', async () => {
    await direct.upload('training-data/notebook-2026-01-01.json', { version: 1 })
    await direct.upload('training-data/notebook-2026-01-02.json', { version: 2 })
    expect(await loader.loadTrainingData('notebook', toModel)).toMatchObject({ value: { version: 2 } })
  })
})

describe('scanned repositories', () => {
  const name = (day: number) => `training-data/scanned-repos-2026-01-0${day}.json`
  const versions = async (options = {}) =>
    (await loader.loadScannedRepos(options, toModel)).map(({ value, from }) => [value.version, from])

  beforeAll(async () => {
    for (const day of [3, 1, 4, 2]) await direct.upload(name(day), { version: day })
  })

  it('are the newest files, as many as are wanted', async () => {
    expect(await versions({ maxFiles: 2 })).toEqual([
      [4, 'storage'],
      [3, 'storage'],
    ])
    expect(await versions()).toHaveLength(4)
    expect(warnings).toEqual([])
    for (const maxFiles of [0, 1.5, -1, Number.NaN, 101])
      await expect(versions({ maxFiles })).rejects.toMatchObject({ code: 'invalid_request' })
  })

  it('come without the damaged one, or with its last good self, or its copy nearby', async () => {
    const sound = readFileSync(onDisk(name(3)), 'utf8')
    damage(name(3), (text) => text + text)
    expect(await versions()).toEqual([4, 2, 1].map((day) => [day, 'storage']))
    expect(warnings[0]).toMatchObject({ artefact: name(3), source: 'storage' })
    await local.upload(name(3), { version: 3 })
    expect((await versions())[1]).toEqual([3, 'local'])
    writeFileSync(onDisk(name(3)), sound)
    loader = freshLoader()
    await versions()
    damage(`${name(3)}.sha256`, () => 'nonsense')
    expect((await versions())[1]).toEqual([3, 'memory'])
    writeFileSync(onDisk(`${name(3)}.sha256`), readFileSync(join(localDir, `${name(3)}.sha256`)))
  })

  it('stay at hand while storage is away, and come from nearby where nothing is known or wanted from it', async () => {
    mkdirSync(localDir, { recursive: true })
    await local.upload(name(9), { version: 9 })
    await versions({ maxFiles: 3 })
    proxy.set({ kind: 'reset' })
    expect(await versions()).toEqual([4, 3, 2].map((day) => [day, 'memory']))
    loader = freshLoader()
    expect(await versions()).toEqual([[9, 'local']])
    proxy.set({ kind: 'none' })
    expect(await versions({ fromStorage: false })).toEqual([[9, 'local']])
    expect(proxy.seen).toBe(0)
    loader = freshLoader({})
    expect(await versions({ fromStorage: false })).toEqual([])
  })
})
