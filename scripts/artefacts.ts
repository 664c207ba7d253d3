import { readFile, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { GatewayError } from '../src/core/errors.ts'
import { DamagedArtefactError } from '../src/training/artefacts/damaged.ts'
import { FOLDERS } from '../src/training/artefacts/names.ts'
import { stamped, stampOf } from '../src/training/artefacts/stamp.ts'
import { type ArtefactStore, artefactStore } from '../src/training/artefacts/store.ts'
import { folderShelf } from './stack/folder-shelf.ts'
import { table } from './stack/operator.ts'
import { OperatorError, runCommand } from './stack/operator-error.ts'
import { operatorShelf } from './stack/operator-shelf.ts'

const USAGE = `usage: npm run artefacts -- list [PATTERN]
       npm run artefacts -- get NAME|PATTERN [--out FILE]   (of a pattern: the newest)
       npm run artefacts -- put NAME FILE [--stamp]         (stamp: the moment goes into the name)
       npm run artefacts -- verify [PATTERN]
names: {folder}/{name}.json; folders: ${FOLDERS.join(', ')}; patterns: "*" and "?", in quotes
options: --json, --folder DIR (a local copy instead of Supabase); Supabase is that of npm start,
         or of SUPABASE_URL and SUPABASE_SECRET_KEY`

await runCommand(main)

async function main(): Promise<void> {
  const { command, name, file, values } = readArguments()
  const store = artefactStore(values.folder === undefined ? operatorShelf() : folderShelf(values.folder))
  const print = (value: unknown, text: string) => console.log(values.json ? JSON.stringify(value) : text)
  try {
    if (command === 'list') print(...listing(await named(store, name)))
    else if (command === 'verify') {
      const report = await verify(store, await named(store, name))
      print(report, said(report))
      if (report.some(({ damage }) => damage)) process.exitCode = 1
    } else if (command === 'get' && name) await get(store, name, values.out)
    else if (command === 'put' && name && file) {
      const bytes = new Uint8Array(await readFile(file).catch(() => unreadable(file)))
      const target = values.stamp ? stamped(name, Date.now()) : name
      const made = await store.upload(target, bytes)
      print({ name: target, ...made }, `Stored as ${target} (${made.bytes} bytes, SHA-256 ${made.sha256}).`)
    } else usage()
  } catch (error) {
    if (error instanceof GatewayError) throw new OperatorError(`${error.message} ${error.tip}`)
    if (error instanceof DamagedArtefactError)
      throw new OperatorError(`${error.message} Put its content again, or use an older one.`)
    throw error
  }
}

function readArguments() {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: {
        out: { type: 'string' },
        stamp: { type: 'boolean' },
        folder: { type: 'string' },
        json: { type: 'boolean' },
      },
    })
    return { command: positionals[0], name: positionals[1], file: positionals[2], values }
  } catch {
    return usage()
  }
}

/** What fits the pattern, or all that there is, newest first within its folder. */
async function named(store: ArtefactStore, pattern: string | undefined): Promise<readonly string[]> {
  const patterns = pattern === undefined ? FOLDERS.map((folder) => `${folder}/*`) : [pattern]
  const names: string[] = []
  for (const one of patterns) names.push(...(await store.list(one)))
  return names
}

async function get(store: ArtefactStore, asked: string, out: string | undefined): Promise<void> {
  const name = /[*?]/.test(asked) ? await store.getLatest(asked) : asked
  if (name === undefined) throw new OperatorError(`No artefact fits ${asked}.`)
  const bytes = await store.download(name)
  if (out === undefined) process.stdout.write(bytes)
  else {
    await writeFile(out, bytes)
    console.error(`${name} is in ${out} (${bytes.byteLength} bytes).`)
  }
}

interface Verified {
  readonly name: string
  readonly bytes?: number
  readonly damage?: string
}

async function verify(store: ArtefactStore, names: readonly string[]): Promise<readonly Verified[]> {
  const report: Verified[] = []
  for (const name of names) {
    try {
      await store.loadJSON(name)
      report.push({ name, bytes: (await store.checksum(name)).bytes })
    } catch (error) {
      if (!(error instanceof DamagedArtefactError)) throw error
      report.push({ name, damage: error.damage })
    }
  }
  return report
}

function said(report: readonly Verified[]): string {
  if (report.length === 0) return 'There is nothing to verify.'
  const damaged = report.filter(({ damage }) => damage)
  const rows = report.map(({ name, damage }) => [name, damage ?? 'sound'])
  const end =
    damaged.length === 0
      ? `All ${report.length} are sound.`
      : `${damaged.length} of ${report.length} are damaged. Put their content again under the same name, or remove them.`
  return `${table(['ARTEFACT', 'STATE'], rows)}\n${end}`
}

function listing(names: readonly string[]): [value: unknown, text: string] {
  const moments = names.map((name) => {
    const ms = stampOf(name)
    return { name, moment: ms === undefined ? null : new Date(ms).toISOString() }
  })
  const none = 'There are no artefacts yet. Add one with: npm run artefacts -- put NAME FILE'
  const rows = moments.map(({ name, moment }) => [name, moment ?? ''])
  return [moments, rows.length === 0 ? none : table(['ARTEFACT', 'MOMENT'], rows)]
}

function unreadable(file: string): never {
  throw new OperatorError(`${file} cannot be read. Name a JSON file.`)
}

function usage(): never {
  console.error(USAGE)
  process.exit(2)
}
