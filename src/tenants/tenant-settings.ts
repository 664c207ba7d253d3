import * as z from 'zod/mini'
import { GatewayError } from '../core/errors.ts'
import type { JsonValue } from '../core/json.ts'
import { judge, tipIn } from '../core/schema.ts'
import { PLANS, TENANT_NAME } from './tenant.ts'

const days = (least: number, most: number) => z.optional(z.int().check(z.minimum(least), z.maximum(most)))

/** Bounds as the database has them. */
const FIELDS = {
  plan: z.optional(z.enum(PLANS)),
  cache_policy: z.optional(z.enum(['all', 'deterministic', 'none'])),
  cache_by_user: z.optional(z.boolean()),
  keeps_text: z.optional(z.boolean()),
  retention_days: days(1, 730),
  text_retention_days: days(1, 730),
  feedback_retention_days: days(1, 1_825),
  ledger_retention_days: days(30, 3_650),
}
const change = z.strictObject({ ...FIELDS, purge: z.optional(z.boolean()) })
const creation = z.strictObject({ name: z.string().check(z.regex(TENANT_NAME)), ...FIELDS })

export type TenantSettings = Omit<z.infer<typeof change>, 'purge'>

/** A tenant as an operator sees it. */
export interface TenantListing extends Required<TenantSettings> {
  readonly id: string
  readonly name: string
  readonly epoch: number
  readonly budget: string
  readonly created_at: string
}

/** Tenants, as the operator manages them. */
export interface TenantStore {
  /** By name. @param after the name of the last one that was read */
  list(after: string | undefined, limit: number): Promise<readonly TenantListing[]>
  find(name: string): Promise<TenantListing | undefined>
  /** @returns undefined when the name is taken */
  create(
    tenant: { readonly id: string; readonly name: string } & TenantSettings,
  ): Promise<TenantListing | undefined>
  /** @returns undefined when it is no longer as it was seen */
  change(
    seen: Pick<TenantListing, 'id' | 'epoch'>,
    change: TenantSettings & { readonly epoch?: number },
  ): Promise<TenantListing | undefined>
}

/** @throws GatewayError `invalid_request`; so below */
export function readTenant(body: JsonValue): { name: string; settings: TenantSettings } {
  const { name, ...settings } = judge(creation, body, tipFor)
  const { retention_days: days = DEFAULT_DAYS, text_retention_days: textDays = DEFAULT_TEXT_DAYS } = settings
  mustNotOutlive(textDays, days)
  return { name, settings: given(settings) }
}

export function readTenantChange(
  body: JsonValue,
  seen: TenantListing,
): { purge: boolean; settings: TenantSettings } {
  const { purge = false, ...fields } = judge(change, body, tipFor)
  const settings = given(fields)
  if (!purge && Object.keys(settings).length === 0)
    throw new GatewayError(
      'invalid_request',
      'Nothing is to be changed.',
      `Send at least one of ${Object.keys(change.shape).join(', ')}.`,
    )
  const after = { ...seen, ...settings }
  mustNotOutlive(after.text_retention_days, after.retention_days)
  return { purge, settings }
}

const DEFAULT_DAYS = 90
const DEFAULT_TEXT_DAYS = 30

function mustNotOutlive(textDays: number, days: number): void {
  if (textDays <= days) return
  throw new GatewayError(
    'invalid_request',
    `Texts would be kept for ${textDays} days, longer than their requests (${days}).`,
    'Let "text_retention_days" be at most "retention_days".',
    { param: 'text_retention_days' },
  )
}

const given = (fields: TenantSettings): TenantSettings =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))

const TIPS: Readonly<Record<string, string>> = {
  '': 'Send a JSON object; docs/administration.md lists its fields.',
  name: 'Use 1 to 63 small letters, digits, "-" or "_".',
}
const tipFor = (param: string): string =>
  tipIn(TIPS, param) ?? `Correct "${param}" or leave it out; docs/administration.md lists the fields.`
