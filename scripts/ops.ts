import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { CHANNELS, type Channel } from '../src/metrics/alert-rules.ts'
import { DASHBOARD_FOLDER, opsFiles, SETTINGS_PATH } from './ops/files.ts'
import { readSettings } from './ops/settings.ts'
import { testAlert } from './ops/test-alert.ts'
import { OperatorError, runCommand } from './stack/operator-error.ts'

const USAGE = `usage: npm run ops -- [--check] [--root DIR]
Writes dashboards, alert rules and their guide from the catalogue of metrics and ops/settings.json.
--check writes nothing and fails where one of them is stale; --root: another checkout than this one.

       npm run ops -- test-alert ${CHANNELS.join('|')} [--url ADDRESS]
Has the running gateway send a test alert through that channel, and says what happened. The operator's token comes
from BEAST_OPERATOR_TOKEN or, on a laptop, from what npm start left behind.`

const { check = false, root = join(import.meta.dirname, '..'), url, channel } = readArguments()
await runCommand(async () => {
  if (channel) return console.log(await testAlert(channel, url))
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
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { check: { type: 'boolean' }, root: { type: 'string' }, url: { type: 'string' } },
    })
    return { ...values, channel: testedChannel(positionals) }
  } catch {
    return usage()
  }
}

/** Of `test-alert CHANNEL`; undefined where the files are meant. */
function testedChannel([command, name, ...more]: readonly string[]): Channel | undefined {
  if (command === undefined) return undefined
  const channel = CHANNELS.find((each) => each === name)
  return command === 'test-alert' && channel && more.length === 0 ? channel : usage()
}

function usage(): never {
  console.error(USAGE)
  process.exit(2)
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
