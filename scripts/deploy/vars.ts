import { existsSync, readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { keepText } from './kept-file.ts'
import type { Values } from './secrets.ts'

/** What is asked of whoever deploys for the first time; Enter leaves the optional ones out. */
const QUESTIONS: readonly (readonly [name: string, where: string])[] = [
  ['SUPABASE_URL', 'https://PROJECT.supabase.co'],
  ['SUPABASE_ACCESS_TOKEN', 'supabase.com/dashboard/account/tokens'],
  ['UPSTASH_REDIS_REST_URL', 'optional'],
  ['UPSTASH_REDIS_REST_TOKEN', 'optional'],
  ['OPENAI_API_KEY', 'optional'],
  ['ANTHROPIC_API_KEY', 'optional'],
  ['GEMINI_API_KEY', 'optional'],
]

/** The environment; below it, what the file says. Empty values count as not given. */
export function readVars(file: string, env: Values): Values {
  const written: Values = existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {}
  return Object.fromEntries(
    Object.entries({ ...written, ...filled(env) }).filter(([, value]) => value !== ''),
  )
}

const filled = (values: Values): Values =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== ''))

/**
 * Asks for what is not given, and keeps the answers in the file for later runs.
 * @param ask a question of somebody at a terminal
 */
export async function askFor(
  file: string,
  vars: Values,
  ask: (question: string) => Promise<string>,
): Promise<Values> {
  const answers: Record<string, string> = {}
  for (const [name, where] of QUESTIONS) {
    if (vars[name] !== undefined) continue
    const answer = (await ask(`${name} (${where}): `)).trim()
    if (answer !== '') answers[name] = answer
  }
  const lines = Object.entries(answers).map(([name, value]) => `${name}='${value}'\n`)
  keepText(file, lines.join(''))
  return { ...answers, ...vars }
}
