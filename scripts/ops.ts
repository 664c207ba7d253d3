import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { DASHBOARD_FOLDER, opsFiles, SETTINGS_PATH } from './ops/files.ts'
import { readSettings } from './ops/settings.ts'
import { OperatorError, runCommand } from './stack/operator-error.ts'

const USAGE = `usage: npm run ops -- [--check] [--root DIR]
Writes dashboards, alert rules and their guide from the catalogue of metrics and ops/settings.json.
--check writes nothing and fails where one of them is stale; --root: another checkout than this one.`

const { check = false, root = join(import.meta.dirname, '..') } = readArguments()
await runCommand(async () => {
  const files = opsFiles(readSettings(join(root, SETTINGS_PATH)))
  const stale = [...files].filter(([path, text]) => read(path) !== text).map(([path]) => path)
  // A dashboard that is no longer made would be shown for ever.
  const orphans = listed(DASHBOARD_FOLDER).filter((path) => !files.has(path))
  const changed = [...stale, ...orphans]
  if (check) {
    if (changed.length > 0) throw new OperatorError(`Stale: ${changed.join(', ')}. Run: npm run ops`)
    return console.log(`All ${files.size} files are up to date.`)
  }
  for (const path of stale) write(path, files.get(path) ?? '')
  for (const path of orphans) rmSync(join(root, path))
  console.log(changed.length === 0 ? 'Nothing has changed.' : `Written: ${changed.join(', ')}`)
})

function readArguments() {
  try {
    return parseArgs({ options: { check: { type: 'boolean' }, root: { type: 'string' } } }).values
  } catch {
    console.error(USAGE)
    process.exit(2)
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(join(root, path), 'utf8')
  } catch {
    return undefined
  }
}

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}

function listed(folder: string): readonly string[] {
  try {
    return readdirSync(join(root, folder)).map((name) => `${folder}/${name}`)
  } catch {
    return []
  }
}
