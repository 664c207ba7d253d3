import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { OperatorError } from './operator-error.ts'

const OWN = [
  'ROOT_KEY',
  'KEY_PEPPER',
  'OPERATOR_TOKEN',
  'METRICS_TOKEN',
  'VIEWER_TOKEN',
  'UPSTASH_REDIS_REST_TOKEN',
  'JWT_SECRET',
  'KEK_1',
] as const
const OVERRIDABLE = ['ROOT_KEY', 'KEY_PEPPER', 'OPERATOR_TOKEN', 'METRICS_TOKEN', 'VIEWER_TOKEN'] as const
const MIN_LENGTH = 32

export type Secrets = Record<
  (typeof OWN)[number] | 'SUPABASE_SECRET_KEY' | 'SUPABASE_PUBLISHABLE_KEY',
  string
>

/**
 * The laptop's secrets: made once, kept in a file that only its owner reads, so that state survives a restart.
 * @param overrides from `.dev.vars`
 * @throws OperatorError for an override that is too weak
 */
export function loadSecrets(path: string, overrides: Readonly<Record<string, string>>): Secrets {
  const kept: Record<string, string> = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {}
  for (const name of OWN) kept[name] ??= randomBytes(32).toString('base64url')
  kept.SUPABASE_SECRET_KEY ??= `sb_secret_${randomBytes(24).toString('base64url')}`
  kept.SUPABASE_PUBLISHABLE_KEY ??= `sb_publishable_${randomBytes(24).toString('base64url')}`
  writeFileSync(path, `${JSON.stringify(kept, null, 2)}\n`, { mode: 0o600 })
  for (const name of OVERRIDABLE) {
    const value = overrides[name]
    if (value === undefined) continue
    if (value.length < MIN_LENGTH) {
      throw new OperatorError(
        `.dev.vars: ${name} is shorter than ${MIN_LENGTH} characters. Leave it out, or use: openssl rand -base64 32 | tr '+/' '-_' | tr -d =`,
      )
    }
    kept[name] = value
  }
  return kept as Secrets
}
