import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AdminClient } from './admin-client.ts'
import { readDevVars } from './dev-vars.ts'
import { OperatorError } from './operator-error.ts'

const ROOT = join(import.meta.dirname, '../..')

export const OPERATOR_OPTIONS = `options: --json, --url ADDRESS (or BEAST_URL); the operator's token comes from BEAST_OPERATOR_TOKEN
         or, on a laptop, from what npm start left behind`

/** The administration of the gateway that is meant. @param url when it was named */
export const operatorClient = (url: string | undefined): AdminClient =>
  new AdminClient(gatewayUrl(url), operatorToken())

/** What `npm start` left in `.beast/`. */
export function leftBehind(file: string): Record<string, unknown> {
  const path = join(ROOT, '.beast', file)
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {}
}

function gatewayUrl(given: string | undefined): string {
  const url = given ?? process.env.BEAST_URL ?? leftBehind('run.json').url
  if (typeof url === 'string') return url.replace(/\/+$/, '')
  throw new OperatorError(
    'No gateway runs from this folder. Start it with npm start, or name one with --url ADDRESS.',
  )
}

/** The environment; below it, `.dev.vars`. */
export const operatorVars = (): Readonly<Record<string, string | undefined>> => ({
  ...readDevVars(join(ROOT, '.dev.vars')),
  ...process.env,
})

function operatorToken(): string {
  const token =
    process.env.BEAST_OPERATOR_TOKEN ??
    readDevVars(join(ROOT, '.dev.vars')).OPERATOR_TOKEN ??
    leftBehind('secrets.json').OPERATOR_TOKEN
  if (typeof token === 'string') return token
  throw new OperatorError("The operator's token is not known here. Set BEAST_OPERATOR_TOKEN.")
}

/** Rows under their headings, as wide as they need to be. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [headings, ...rows]
  const widths = headings.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)))
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
