import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { databaseKey, type KeyName, signerOf } from './stack/database-keys.ts'
import { leftBehind, operatorVars } from './stack/operator.ts'
import { OperatorError, runCommand } from './stack/operator-error.ts'

const NAMES: Readonly<Record<string, KeyName>> = {
  recorder: 'SUPABASE_RECORDER_KEY',
  keeper: 'SUPABASE_KEEPER_KEY',
  reader: 'SUPABASE_READER_KEY',
}
const DEFAULT_DAYS = 365
const USAGE = `usage: npm run -s database-keys -- recorder|keeper|reader [--days N] [--signing-key FILE]
prints what the worker needs as its secret. FILE holds a private JWK or the project's JWT secret (or set
SUPABASE_SIGNING_KEY to that); SUPABASE_PUBLISHABLE_KEY is to be set, too. Without any of them: those of npm start.`

await runCommand(main)

async function main(): Promise<void> {
  const { name, days, file } = readArguments()
  const vars = operatorVars()
  const laptop = leftBehind('secrets.json')
  const own = file === undefined && vars.SUPABASE_SIGNING_KEY === undefined
  const publishableKey = vars.SUPABASE_PUBLISHABLE_KEY ?? (own ? laptop.SUPABASE_PUBLISHABLE_KEY : undefined)
  const signingKey = file === undefined ? (vars.SUPABASE_SIGNING_KEY ?? laptop.JWT_SECRET) : readText(file)
  if (typeof publishableKey !== 'string' || typeof signingKey !== 'string')
    throw new OperatorError(
      'The project is not known here. Set SUPABASE_PUBLISHABLE_KEY, and name its signing key with --signing-key FILE.',
    )
  if (/^sb_secret_|[:\s]/.test(publishableKey))
    throw new OperatorError(
      'SUPABASE_PUBLISHABLE_KEY is to be the key that anyone may know: sb_publishable_...',
    )
  console.log(databaseKey(name, publishableKey, signerOf(signingKey), { nowMs: Date.now(), days }))
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    throw new OperatorError(`${file} cannot be read. Name the file that holds the signing key.`)
  }
}

function readArguments(): { name: KeyName; days: number; file: string | undefined } {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { days: { type: 'string' }, 'signing-key': { type: 'string' } },
    })
    const name = NAMES[positionals[0] ?? '']
    const days = Number(values.days ?? DEFAULT_DAYS)
    if (name && positionals.length === 1 && Number.isInteger(days) && days >= 1 && days <= 3_650)
      return { name, days, file: values['signing-key'] }
  } catch {
    // The usage says it all.
  }
  console.error(USAGE)
  process.exit(2)
}
