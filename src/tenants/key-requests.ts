import * as z from 'zod/mini'
import type { JsonValue } from '../core/json.ts'
import { judge, tipIn } from '../core/schema.ts'
import { SCOPES, type Scope } from './scopes.ts'
import { PLANS, type Plan, TENANT_NAME } from './tenant.ts'

const DAY_MS = 24 * 60 * 60_000
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
export const isUuid = (text: string): boolean => UUID.test(text)

const creation = z.strictObject({
  tenant: z.string().check(z.regex(TENANT_NAME)),
  plan: z.optional(z.enum(PLANS)),
  expires_in_days: z.optional(z.number().check(z.gt(0), z.lte(3_650))),
  scopes: z.optional(z.array(z.enum(SCOPES)).check(z.minLength(1), z.maxLength(SCOPES.length))),
})
/** Copies of records live for 90 s at most: within whole hours every isolate knows when the key ends. */
const rotation = z.strictObject({
  overlap_hours: z.optional(z.int().check(z.gte(0), z.lte(720))),
})

export interface KeyCreation {
  readonly tenant: string
  readonly plan: Plan | undefined
  readonly expiresAt: string | null
  readonly scopes: readonly Scope[]
}

/** Strict: a misspelt "scopes" would make a key that may do everything. @throws GatewayError `invalid_request` */
export function readKeyCreation(body: JsonValue, nowMs: number): KeyCreation {
  const { tenant, plan, expires_in_days: days, scopes = SCOPES } = judge(creation, body, tipFor)
  const expiresAt = days === undefined ? null : new Date(nowMs + days * DAY_MS).toISOString()
  return { tenant, plan, expiresAt, scopes: SCOPES.filter((scope) => scopes.includes(scope)) }
}

/** @throws GatewayError `invalid_request` */
export function readKeyRotation(body: JsonValue): { overlapHours: number } {
  return { overlapHours: judge(rotation, body, tipFor).overlap_hours ?? 24 }
}

const TIPS: Readonly<Record<string, string>> = {
  '': 'Send a JSON object; docs/administration.md lists its fields.',
  tenant: 'Use 1 to 63 small letters, digits, "-" or "_".',
  plan: `Use one of ${PLANS.join(', ')}.`,
  expires_in_days: 'Use a number above 0, at most 3650.',
  scopes: `Use some of ${SCOPES.join(', ')}, or leave it out for all.`,
  overlap_hours: 'Use whole hours from 0 to 720; 0 ends the old key at once.',
}
const tipFor = (param: string): string =>
  tipIn(TIPS, param.replace(/\[\d+\]$/, '')) ?? 'Leave it out; docs/administration.md lists the fields.'
