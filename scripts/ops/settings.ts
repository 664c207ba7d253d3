import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { OperatorError } from '../stack/operator-error.ts'

const hostAndPort = z.string().regex(/^[\w.-]+:\d+$/)

const SETTINGS = z.strictObject({
  gateway: z.strictObject({
    scheme: z.enum(['http', 'https']),
    address: hostAndPort,
    /** `merged`: one scrape of all; `shards`: each shard by itself, as the gateway lists them. */
    scrape: z.enum(['merged', 'shards']),
  }),
  email: z.strictObject({
    smarthost: hostAndPort,
    username: z.string().min(1),
    from: z.email(),
    to: z.email(),
  }),
})

/** What of the operator's files is the operator's own, and no secret. */
export type Settings = z.infer<typeof SETTINGS>

/** @throws OperatorError that names the field */
export function readSettings(path: string): Settings {
  const parsed = SETTINGS.safeParse(parseJson(path))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const field = issue?.path.join('.') || 'the whole'
  throw new OperatorError(`${path}: ${field}: ${issue?.message}. docs/metrics.md shows how it looks.`)
}

function parseJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    throw new OperatorError(`${path} cannot be read as JSON. docs/metrics.md shows how it looks.`)
  }
}
