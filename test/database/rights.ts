import { uuidv7 } from '../../src/core/ids.ts'
import { feedbackRow, foldedRow, predictionRow } from './rows.ts'

export const ROLES = ['anon', 'member', 'neighbour', 'stranger', 'recorder', 'reader', 'service'] as const
export type Role = (typeof ROLES)[number]
export const VERBS = ['select', 'insert', 'update', 'delete'] as const
export type Verb = (typeof VERBS)[number]

/**
 * What happens. Reading: `all` rows, the `own` tenant's, `none`, or `refused`. Writing: `done`, `none` (no row is in
 * reach), or `refused`.
 */
export type Outcome = 'all' | 'own' | 'none' | 'done' | 'refused'

/** A table's rights: what its members may read, and what the recorder and the reader may do, verb by verb. */
interface Rights {
  readonly members: 'own' | 'none'
  readonly recorder: readonly Outcome[]
  readonly reader: readonly Outcome[]
  /** What becomes of a row of a tenant that whoever adds it is not of; refused unless said otherwise. */
  readonly foreign?: 'none'
  /** A new row of a tenant. */
  readonly row: (tenantId: string) => Record<string, unknown>
  /** A change that a row can take. */
  readonly change: Readonly<Record<string, unknown>>
}

const NOTHING: readonly Outcome[] = ['refused', 'refused', 'refused', 'refused']
const ADDS: readonly Outcome[] = ['all', 'done', 'refused', 'refused']
const RENEWS: readonly Outcome[] = ['all', 'done', 'done', 'refused']

const AT = '2026-11-20T10:00:00.000Z'
const name = () => crypto.randomUUID()
const long = () => `${name()}-${name()}`.slice(0, 43)
const later = () => ({ created_at: '2026-11-20T11:00:00.000Z' })
const buckets = [1, ...Array(17).fill(0)]
const totals = (tenant_id: string) => ({
  tenant_id,
  starts_at: AT,
  model: name(),
  outcome: 'success',
  requests: 1,
  total_buckets: buckets,
  upstream_buckets: buckets,
  first_byte_buckets: buckets,
})

/** Every table of the schema. One that is missing here fails the test. */
export const TABLES: Readonly<Record<string, Rights>> = {
  tenants: {
    members: 'own',
    // A few columns, which the test asks for.
    recorder: ['all', 'refused', 'refused', 'refused'],
    reader: NOTHING,
    row: () => ({ name: name() }),
    change: { plan: 'paid' },
  },
  virtual_keys: {
    members: 'none',
    recorder: NOTHING,
    reader: NOTHING,
    row: (tenant_id) => ({ tenant_id, digest: long(), hint: 'abcd' }),
    change: { hint: 'dcba' },
  },
  llm_cache: {
    members: 'none',
    recorder: NOTHING,
    reader: ['all', 'refused', 'refused', 'refused'],
    row: (tenant_id) => ({
      tenant_id,
      key: long(),
      sealed: 's',
      bytes: 1,
      expires_at: '2099-01-01T00:00:00Z',
    }),
    change: { sealed: 't' },
  },
  custom_models: {
    members: 'none',
    recorder: NOTHING,
    reader: NOTHING,
    row: (tenant_id) => ({ tenant_id, model_id: name(), model_name: 'm' }),
    change: { is_public: true },
  },
  model_aliases: {
    members: 'none',
    recorder: NOTHING,
    reader: NOTHING,
    row: (tenant_id) => ({ tenant_id, name: name(), kind: 'fallback', targets: [{ model: 'm' }] }),
    change: { kind: 'weighted' },
  },
  provider_keys: {
    members: 'none',
    recorder: NOTHING,
    reader: NOTHING,
    row: (tenant_id) => ({
      tenant_id,
      provider: name(),
      base_url: 'https://api.example.com',
      wire_format: 'openai',
      api_key_encrypted: 'v2.KEK_1.w.c',
      api_key_iv: 'i'.repeat(16),
    }),
    change: { base_url: 'https://evil.example.com' },
  },
  ml_predictions: {
    members: 'own',
    recorder: ADDS,
    reader: NOTHING,
    row: (tenantId) => predictionRow(tenantId, Date.parse(AT)),
    change: later(),
  },
  prediction_texts: {
    members: 'own',
    recorder: ['all', 'done', 'refused', 'refused'],
    reader: NOTHING,
    // Who cannot see that the tenant keeps text has it left out, before any policy is asked.
    foreign: 'none',
    row: (tenant_id) => ({ prediction_id: name(), tenant_id, created_at: AT, prompt: 'p', answer: 'a' }),
    change: later(),
  },
  dead_letters: {
    members: 'none',
    // Of what there is the id alone, which the test asks for.
    recorder: ADDS,
    reader: NOTHING,
    row: (tenant_id) => ({ id: name(), tenant_id, kind: 'prediction', record: {}, reason: 'why' }),
    change: { reason: 'another' },
  },
  erasures: {
    members: 'none',
    recorder: ['all', 'refused', 'refused', 'refused'],
    reader: NOTHING,
    row: (tenant_id) => ({ tenant_id, user_hash: long() }),
    change: { erased_at: AT },
  },
  prediction_minutes: {
    members: 'own',
    recorder: ADDS,
    reader: NOTHING,
    row: (tenantId) => foldedRow(tenantId, Date.parse(AT)),
    change: { requests: 1_000_000 },
  },
  quality_feedback_history: {
    members: 'own',
    recorder: ADDS,
    reader: NOTHING,
    row: (tenantId) => feedbackRow(tenantId, uuidv7(Date.parse(AT))),
    change: { thumbs: 'down' },
  },
  quality_feedback: {
    members: 'own',
    recorder: RENEWS,
    reader: NOTHING,
    row: (tenant_id) => ({ tenant_id, prediction_id: name(), source: 'bot', received_at: AT, revisions: 1 }),
    change: { thumbs: 'down' },
  },
  quality_improvements: {
    members: 'own',
    recorder: NOTHING,
    reader: NOTHING,
    row: (tenant_id) => ({
      tenant_id,
      change: 'c',
      metric: 'm',
      before_value: 0,
      after_value: 1,
      interval_low: 0,
      interval_high: 2,
      decision: 'adopted',
    }),
    change: { decision: 'rejected' },
  },
  ledger: {
    members: 'own',
    recorder: ADDS,
    reader: NOTHING,
    row: (tenant_id) => ({ tenant_id, prediction_id: name(), created_at: AT, cost_usd: 1 }),
    change: { cost_usd: 0 },
  },
  ledger_attempts: {
    members: 'own',
    recorder: ADDS,
    reader: NOTHING,
    row: (tenant_id) => ({
      tenant_id,
      prediction_id: name(),
      attempt: 1,
      created_at: AT,
      model: 'm',
      provider: 'p',
      result: 'answered',
      total_ms: 1,
      cost_usd: 1,
    }),
    change: { cost_usd: 0 },
  },
  roll_up_minutes: {
    members: 'own',
    recorder: RENEWS,
    reader: NOTHING,
    row: totals,
    change: { requests: 2 },
  },
  roll_up_hours: { members: 'own', recorder: RENEWS, reader: NOTHING, row: totals, change: { requests: 2 } },
  feedback_hours: {
    members: 'own',
    recorder: RENEWS,
    reader: NOTHING,
    row: (tenant_id) => ({
      tenant_id,
      starts_at: AT,
      model: name(),
      provider: 'p',
      mode: 1,
      source: 'user',
      ratings: 1,
      thumbs_up: 1,
      thumbs_down: 0,
      scored: 1,
      score: 1,
      outcomes: 0,
      outcome: 0,
      corrections: 0,
    }),
    change: { ratings: 2 },
  },
}

/** What is to happen when a role tries a verb on a table, over the REST surface with every right but RLS granted. */
export function expected(table: string, role: Role, verb: Verb): Outcome {
  const { members, recorder, reader, foreign = 'refused' } = TABLES[table] as Rights
  const place = VERBS.indexOf(verb)
  if (role === 'service') return verb === 'select' ? 'all' : 'done'
  if (role === 'recorder') return recorder[place] as Outcome
  if (role === 'reader') return reader[place] as Outcome
  if (verb === 'insert') return role === 'member' ? 'refused' : foreign
  return verb === 'select' && (role === 'member' || role === 'neighbour') ? members : 'none'
}

/** Columns to ask for where a role may not see all. */
export const columnsOf = (table: string, role: Role): string =>
  (role === 'recorder' && VISIBLE_TO_RECORDER[table]) || '*'

const VISIBLE_TO_RECORDER: Readonly<Record<string, string>> = {
  tenants: 'id',
  prediction_texts: 'prediction_id',
  dead_letters: 'id',
}
