import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { databaseKey, type KeyName, type Signer, signerOf } from '../stack/database-keys.ts'
import { OperatorError } from '../stack/operator-error.ts'
import type { Part } from './configs.ts'

export type Values = Readonly<Record<string, string | undefined>>

/** Made here, once. What they sealed or digested is unreadable without them. */
const IRREPLACEABLE = ['ROOT_KEY', 'KEY_PEPPER', 'KEK_1'] as const
/** Made here too; another one does no harm. */
const TOKENS = ['OPERATOR_TOKEN', 'METRICS_TOKEN'] as const
const MADE = [...IRREPLACEABLE, ...TOKENS]

/** What each worker cannot do without. */
export const REQUIRED: Readonly<Record<Part, readonly string[]>> = {
  state: [],
  recorder: ['SUPABASE_URL', 'SUPABASE_RECORDER_KEY'],
  scheduler: ['SUPABASE_URL', 'SUPABASE_KEEPER_KEY'],
  gateway: [...MADE, 'SUPABASE_URL', 'SUPABASE_SECRET_KEY'],
}
/** What each worker takes where it is given. */
export const OPTIONAL: Readonly<Record<Part, readonly string[]>> = {
  state: [
    'SLACK_WEBHOOK_URL',
    'PAGERDUTY_ROUTING_KEY',
    'RESEND_API_KEY',
    'ALERT_EMAIL_FROM',
    'ALERT_EMAIL_TO',
  ],
  recorder: [],
  scheduler: [],
  gateway: [
    'SUPABASE_READER_KEY',
    'UPSTASH_REDIS_REST_URL',
    'UPSTASH_REDIS_REST_TOKEN',
    'OPENAI_API_KEY',
    'ANTHROPIC_API_KEY',
    'GEMINI_API_KEY',
    'OLLAMA_BASE_URL',
  ],
}
export const PROVIDERS = ['OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GEMINI_API_KEY', 'OLLAMA_BASE_URL']
const MIN_LENGTH = 32
const KEY_DAYS = 365

/** Whether a worker has it: after a rotation a later KEK stands for the first. */
export const has = (there: readonly string[], name: string): boolean =>
  there.includes(name) || (name === 'KEK_1' && there.some((each) => /^KEK_\d+$/.test(each)))

/** Those that this machine made for the account. @throws OperatorError for a file that is damaged */
export function readKept(path: string): Values {
  if (!existsSync(path)) return {}
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Values
  } catch {
    throw new OperatorError(`${path} is damaged. Put it back from your copy; nothing was changed.`)
  }
}

/**
 * Makes what the gateway lacks and nobody has given.
 * @param there names of the secrets that the gateway has
 * @returns what is new; empty where nothing is lacking
 */
export function makeMissing(there: readonly string[], given: Values): Record<string, string> {
  const made: Record<string, string> = {}
  for (const name of MADE)
    if (!has(there, name) && given[name] === undefined)
      made[name] = randomBytes(MIN_LENGTH).toString('base64url')
  return made
}

/** @throws OperatorError for one that a worker would refuse */
export function mustBeStrong(given: Values): void {
  for (const name of MADE) {
    const value = given[name]
    if (value !== undefined && value.length < MIN_LENGTH)
      throw new OperatorError(`${name} is shorter than ${MIN_LENGTH} characters. Leave it out: one is made.`)
  }
}

export interface ProjectKeys {
  readonly url: string
  readonly secret: string | undefined
  readonly publishable: string | undefined
}

/**
 * What the workers get to reach Supabase with: keys of their own roles where tokens can be signed, else the secret key.
 * @throws OperatorError when there is no key at all
 */
export function supabaseSecrets(project: ProjectKeys, given: Values, nowMs: number): Values {
  const secret = given.SUPABASE_SECRET_KEY ?? project.secret
  if (secret === undefined)
    throw new OperatorError(
      'The Supabase project has no secret key. Make one in its dashboard (API keys, sb_secret_...), or set SUPABASE_SECRET_KEY.',
    )
  const signed = roleSigner(project, given, nowMs)
  return {
    SUPABASE_URL: project.url,
    SUPABASE_SECRET_KEY: secret,
    SUPABASE_RECORDER_KEY: given.SUPABASE_RECORDER_KEY ?? signed?.('SUPABASE_RECORDER_KEY') ?? secret,
    SUPABASE_KEEPER_KEY: given.SUPABASE_KEEPER_KEY ?? signed?.('SUPABASE_KEEPER_KEY') ?? secret,
    SUPABASE_READER_KEY: given.SUPABASE_READER_KEY ?? signed?.('SUPABASE_READER_KEY'),
  }
}

function roleSigner(
  project: ProjectKeys,
  given: Values,
  nowMs: number,
): ((name: KeyName) => string) | undefined {
  const publishable = given.SUPABASE_PUBLISHABLE_KEY ?? project.publishable
  if (given.SUPABASE_SIGNING_KEY === undefined) return undefined
  if (publishable === undefined)
    throw new OperatorError(
      'SUPABASE_SIGNING_KEY is set, but the project has no publishable key. Make one in its dashboard (API keys).',
    )
  const signer: Signer = signerOf(given.SUPABASE_SIGNING_KEY)
  return (name) => databaseKey(name, publishable, signer, { nowMs, days: KEY_DAYS })
}

/**
 * What a worker is to be given with its next version: what it lacks, never what it has.
 * @throws OperatorError naming what is lacking everywhere
 */
export function secretsToAdd(part: Part, there: readonly string[], values: Values): Record<string, string> {
  const missing = REQUIRED[part].filter((name) => !has(there, name) && values[name] === undefined)
  if (missing.length > 0)
    throw new OperatorError(
      `beast-${part} lacks ${missing.join(', ')}. Set it in the environment and run this again.`,
    )
  return Object.fromEntries(
    [...REQUIRED[part], ...OPTIONAL[part]].flatMap((name) => {
      const value = values[name]
      return value === undefined || has(there, name) ? [] : [[name, value]]
    }),
  )
}
