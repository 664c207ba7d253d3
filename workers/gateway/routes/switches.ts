import { Hono } from 'hono'
import { GatewayError } from '../../../src/core/errors.ts'
import { isObject } from '../../../src/core/json.ts'
import {
  ALL_CACHING,
  SWITCH_KINDS,
  type Switch,
  type SwitchKind,
  switchJson,
  TIERS,
} from '../../../src/switches/switch.ts'
import { OPERATOR } from '../../../src/tenants/audit.ts'
import { TENANT_NAME } from '../../../src/tenants/tenant.ts'
import type { AppEnv } from '../context.ts'
import { readSmallJson } from '../json-body.ts'
import { audited } from '../middleware/audit.ts'
import { operatorOnly } from '../middleware/operator.ts'
import { stored } from '../stored.ts'
import { tenantIdOf } from '../tenant-of.ts'

/** What is meant to be off for longer is better taken out of the configuration. */
const MAX_DAYS = 366
const DAY_MS = 86_400_000
const MAX_NOTE = 500
const MAX_BY = 100
const PROVIDER_NAME = /^[\w.-]{1,64}$/
const ROUTE_ID = /^[\w.-]{1,64}:[\x21-\x7e]{1,235}$/
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)$/
// Nor what would turn a line of a terminal around.
const PLAIN = /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u

/** /api/admin/switches: what is turned off, at once and everywhere within 90 s. For the operator only. */
export const switches = new Hono<AppEnv>()
  .use(operatorOnly)
  .get('/', async (c) => {
    const off = await stored(c.env.services.switchDesk.list())
    return c.json({ data: off.map(switchJson) }, 200, { 'cache-control': 'no-store' })
  })
  .put('/', async (c) => {
    const change = parseSwitch(await readSmallJson(c.req.raw), Date.now())
    // A misspelt one would turn nothing off, and nobody would know.
    const tenant = change.kind === 'tenant' && { tenantId: await tenantIdOf(c, change.name) }
    const { note, by, until } = switchJson(change)
    const entry = { action: 'switch.off', ...tenant, target: placeOf(change), after: { note, by, until } }
    await audited(c, OPERATOR, entry, () => stored(c.env.services.switchDesk.turnOff(change)))
    return c.json(switchJson(change))
  })
  .delete('/', async (c) => {
    const place = parsePlace(c.req.query())
    const { directory, switchDesk } = c.env.services
    const found = place.kind === 'tenant' ? await stored(directory.tenantNamed(place.name)) : undefined
    const entry = { action: 'switch.on', ...(found && { tenantId: found.id }), target: placeOf(place) }
    await audited(c, OPERATOR, entry, async () => {
      if (!(await stored(switchDesk.turnOn(place.kind, place.name)))) throw notOff()
    })
    return c.json({ ...place, removed: true })
  })

const placeOf = ({ kind, name }: Pick<Switch, 'kind' | 'name'>): string => `${kind}/${name}`

const notOff = () =>
  new GatewayError('not_found', 'This is not turned off.', 'GET /api/admin/switches lists what is.')

/** Strict: what is misspelt here would leave on what was meant to be off. */
function parseSwitch(body: unknown, nowMs: number): Switch {
  const { note, by = 'operator', until = null, ...place } = isObject(body) ? body : {}
  const { kind, name } = parsePlace(place)
  return {
    kind,
    name,
    note: textOf('note', note, MAX_NOTE, 'Say why, for whoever finds it off.'),
    by: textOf('by', by, MAX_BY, 'Say who you are, or leave it out.'),
    atMs: nowMs,
    untilMs: until === null ? null : endOf(until, nowMs),
  }
}

function textOf(param: string, value: unknown, most: number, tip: string): string {
  if (typeof value === 'string' && value.trim() !== '' && value.length <= most && PLAIN.test(value))
    return value.trim()
  throw invalid(param, `The field "${param}" is no line of 1 to ${most} characters.`, tip)
}

function endOf(until: unknown, nowMs: number): number {
  const atMs = typeof until === 'string' && ISO_TIME.test(until) ? Date.parse(until) : Number.NaN
  if (atMs > nowMs && atMs <= nowMs + MAX_DAYS * DAY_MS) return atMs
  throw invalid(
    'until',
    'The field "until" is no time in the coming year.',
    'Use a time like 2026-11-21T18:00:00Z that is still to come, or leave it out.',
  )
}

function parsePlace({
  kind: givenKind,
  name,
  ...others
}: {
  readonly kind?: unknown
  readonly name?: unknown
}): { kind: SwitchKind; name: string } {
  const [unknown] = Object.keys(others)
  if (unknown !== undefined)
    throw invalid(unknown, `There is no "${unknown}" here.`, 'See docs/switches.md for what there is.')
  const kind = SWITCH_KINDS.find((each) => each === givenKind)
  if (!kind)
    throw invalid(
      'kind',
      'The kind is missing, or there is no such kind.',
      `Use one of ${SWITCH_KINDS.join(', ')}.`,
    )
  const { isName, tip } = NAMES[kind]
  if (typeof name === 'string' && isName(name)) return { kind, name }
  throw invalid('name', `The name is missing, or no ${kind} can have it.`, tip)
}

interface NameRule {
  readonly isName: (name: string) => boolean
  readonly tip: string
}

const CACHES: readonly string[] = [ALL_CACHING, ...TIERS]
const NAMES: Readonly<Record<SwitchKind, NameRule>> = {
  cache: { isName: (name) => CACHES.includes(name), tip: `Use one of ${CACHES.join(', ')}.` },
  model: {
    isName: (name) => ROUTE_ID.test(name),
    tip: 'Use an id of GET /v1/models, whole: provider:name or custom:id.',
  },
  provider: {
    isName: (name) => PROVIDER_NAME.test(name),
    tip: 'Use what stands before the colon in the ids of its models; "custom" means every own endpoint.',
  },
  tenant: { isName: (name) => TENANT_NAME.test(name), tip: 'Use the name that the tenant was made with.' },
}

const invalid = (param: string, message: string, tip: string) =>
  new GatewayError('invalid_request', message, tip, { param })
