import { GatewayError } from '../core/errors.ts'
import type { JsonValue } from '../core/json.ts'

/** Who makes a change: whoever holds the operator's token, or a key of a tenant. */
export type AuditActor = { readonly kind: 'operator' } | { readonly kind: 'key'; readonly id: string }
export const OPERATOR: AuditActor = { kind: 'operator' }

/** A change, as it is told. No secrets, and no names of users. */
export interface AuditedChange {
  /** `model.publish`: what, and what is done to it. */
  readonly action: string
  /** Whose things are changed; absent = the gateway's own. */
  readonly tenantId?: string
  /** Which of them. */
  readonly target?: string
  readonly before?: Facts
  readonly after?: Facts
}
export type Facts = Readonly<Record<string, unknown>>

export interface NewAuditEntry extends AuditedChange {
  /** A UUID that sorts by time. */
  readonly id: string
  readonly by: AuditActor
  readonly requestId: string
}

/** An entry as it is read. */
export interface AuditEntry {
  readonly id: string
  readonly at: string
  readonly tenant_id: string | null
  /** Null too when it was erased. */
  readonly tenant: string | null
  readonly actor: string
  readonly actor_id: string | null
  readonly action: string
  readonly target: string | null
  readonly before: JsonValue
  readonly after: JsonValue
  /** The code of the error that it ended in; null = it was done. */
  readonly failure: string | null
  readonly request_id: string | null
}

/** The newest first. */
export interface AuditQuery {
  readonly from: string | undefined
  readonly to: string | undefined
  readonly tenant: string | undefined
  readonly action: string | undefined
  readonly actor: AuditActor | undefined
  readonly limit: number
  /** The id of the last entry that was read. */
  readonly cursor: string | undefined
}

/** Entries are added, and never changed or taken out. */
export interface AuditLog {
  /** Before the change. */
  add(entry: NewAuditEntry): Promise<void>
  /** The change ended in this error. */
  failed(entry: NewAuditEntry, code: string): Promise<void>
  list(query: AuditQuery): Promise<readonly AuditEntry[]>
}

export const MAX_AUDIT_PAGE = 500
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const TENANT = /^[a-z0-9][a-z0-9_-]{0,62}$/
const ACTION = /^[a-z_]+\.[a-z_]+$/
/** A day, or a moment whose zone is said. */
const TIME = /^2\d{3}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d))?$/

/** What a request asks for, parameter by parameter. @throws GatewayError `invalid_request` */
export function readAuditQuery(params: Readonly<Record<string, string[]>>): AuditQuery {
  const asked = new Map<string, string>()
  for (const [name, values] of Object.entries(params)) {
    if (!(PARAMS as readonly string[]).includes(name))
      throw invalid(name, `There is no parameter "${name.slice(0, 100)}" here.`, `Use ${PARAMS.join(', ')}.`)
    if (values.length !== 1) throw invalid(name, `The parameter "${name}" is given twice.`, 'Give it once.')
    asked.set(name, values[0] ?? '')
  }
  const read = (name: Param, form: RegExp, tip: string): string | undefined => {
    const text = asked.get(name)
    if (text === undefined || form.test(text)) return text
    throw invalid(name, `The parameter "${name}" has another form.`, tip)
  }
  const actor = read(
    'actor',
    new RegExp(`^operator$|${UUID.source}`, 'i'),
    'Use "operator" or the id of a key.',
  )
  return {
    from: time('from', read('from', TIME, TIME_TIP)),
    to: time('to', read('to', TIME, TIME_TIP)),
    tenant: read('tenant', TENANT, "Use a tenant's name."),
    action: read('action', ACTION, 'Use a word such as key.create.'),
    actor: actor === undefined ? undefined : actor === 'operator' ? OPERATOR : { kind: 'key', id: actor },
    limit: limitOf(asked.get('limit')),
    cursor: read('cursor', UUID, 'Use the "next_cursor" of the page before.'),
  }
}

const PARAMS = ['from', 'to', 'tenant', 'action', 'actor', 'limit', 'cursor'] as const
type Param = (typeof PARAMS)[number]
const TIME_TIP = 'Use a day such as 2026-11-21, or a moment such as 2026-11-21T08:00:00Z.'

function time(param: Param, text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const ms = Date.parse(text)
  if (Number.isNaN(ms)) throw invalid(param, `The parameter "${param}" is no time.`, TIME_TIP)
  return new Date(ms).toISOString()
}

function limitOf(text: string | undefined): number {
  const limit = text === undefined ? 100 : Number(text || Number.NaN)
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_AUDIT_PAGE) return limit
  throw invalid(
    'limit',
    'The parameter "limit" is out of range.',
    `Use a whole number from 1 to ${MAX_AUDIT_PAGE}.`,
  )
}

/** Of an address its host: the path may hold a key. */
const hostOf = (url: unknown): string | null => (typeof url === 'string' && URL.parse(url)?.host) || null

/** What is told of fields: of keys that there is one, of addresses the host, of users nothing. */
export function factsOf(fields: Facts): Facts {
  const facts: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || name === 'user_id') continue
    if (name === 'api_key') facts[name] = value === null ? null : 'set'
    else facts[name] = name.endsWith('_url') ? hostOf(value) : value
  }
  return facts
}

/** Of what there was, the fields that are to change. */
export const beforeOf = (change: Facts, seen: Facts): Facts =>
  factsOf(Object.fromEntries(Object.keys(change).map((name) => [name, seen[name]])))

const invalid = (param: string, message: string, tip: string) =>
  new GatewayError('invalid_request', message, tip, { param: param.slice(0, 100) })
