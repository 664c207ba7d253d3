import { existsSync, readFileSync } from 'node:fs'
import { OperatorError } from './operator-error.ts'

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/**
 * Reads `.dev.vars`: lines of NAME=value, blank lines and comments. Empty values count as not given.
 * @throws OperatorError naming the line, never its value
 */
export function readDevVars(path: string): Record<string, string> {
  if (!existsSync(path)) return {}
  const vars: Record<string, string> = {}
  for (const [index, raw] of readFileSync(path, 'utf8').split(/\r?\n/).entries()) {
    const line = raw.trim().replace(/^export\s+/, '')
    if (line === '' || line.startsWith('#')) continue
    const at = line.indexOf('=')
    const name = line.slice(0, at).trim()
    if (at < 1 || !NAME.test(name)) {
      throw new OperatorError(
        `.dev.vars, line ${index + 1}: this is not NAME=value. Correct the line or put a # before it.`,
      )
    }
    const value = unquote(line.slice(at + 1).trim(), index + 1)
    if (value !== '') vars[name] = value
  }
  return vars
}

function unquote(value: string, line: number): string {
  const quote = value[0]
  if (quote !== '"' && quote !== "'") return value.replace(/\s+#.*$/, '')
  const end = value.indexOf(quote, 1)
  if (end < 0)
    throw new OperatorError(`.dev.vars, line ${line}: a quote is not closed. Add the missing ${quote}.`)
  return value.slice(1, end)
}
