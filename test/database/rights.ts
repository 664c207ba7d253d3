import { uuidv7 } from '../../src/core/ids.ts'
import { feedbackRow, foldedRow, predictionRow } from './rows.ts'

export const ROLES = [
  'anon',
  'member',
  'neighbour',
  'stranger',
  'recorder',
  'keeper',
  'reader',
  'service',
] as const
export type Role = (typeof ROLES)[number]
export const VERBS = ['select', 'insert', 'update', 'delete'] as const
export type Verb = (typeof VERBS)[number]

/**
 * What happens. Reading: `all` rows, the `own` tenant's, `none`, or `refused`. Writing: `done`, `none` (no row is in
 * reach), or `refused`.
 */
export type Outcome = 'all' | 'own' | 'none' | 'done' | 'refused'

/** A table's rights: what its members may read, and what becomes of a worker's try, verb by verb. */
interface Rights {
  readonly members: 'own' | 'none'
  /** Refused everything unless said otherwise. */
  readonly recorder?: readonly Outcome[]
  readonly keeper?: readonly Outcome[]
  readonly reader?: readonly Outcome[]
  /** May everything unless said otherwise. */
  readonly service?: readonly Outcome[]
  /** What becomes of a row of a tenant that whoever adds it is not of; refused unless said otherwise. */
  readonly foreign?: 'none'
  /** The column that says whose a row is, where that is not `tenant_id`. */
  readonly owner?: string
  /** A new row of a tenant. */
  readonly row: (tenantId: string) => Record<string, unknown>
  /** What sets it apart from others of the tenant, where that needs rows elsewhere. */
  readonly apart?: () => Record<string, unknown>
  /** A change that a row can take. */
  readonly change: Readonly<Record<string, unknown>>
}

const NOTHING: readonly Outcome[] = ['refused', 'refused', 'refused', 'refused']
/** Blindly: what is there stays unseen. */
const ADDS: readonly Outcome[] = ['none', 'done', 'refused', 'refused']
/** Of what is there it sees the ids alone, which the test asks for. */
const ADDS_BY_ID: readonly Outcome[] = ['all', 'done', 'refused', 'refused']
const SUMS_UP: readonly Outcome[] = ['all', 'done', 'done', 'refused']
const PRUNES: readonly Outcome[] = ['all', 'refused', 'refused', 'done']

const KEEPS: readonly Outcome[] = ['all', 'done', 'refused', 'refused']

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

/** Of each key there is one budget at most. */
export const BUDGET_KEYS = Array.from({ length: 50 }, name)

/** Every table of the schema. One that is missing here fails the test. */
export const TABLES: Readonly<Record<string, Rights>> = {
  tenants: {
    members: 'own',
    recorder: ['none', 'refused', 'refused', 'refused'],
    keeper: ['all', 'refused', 'refused', 'refused'],
    row: () => ({ name: name() }),
    change: { plan: 'paid' },
  },
  virtual_keys: {
    members: 'none',
    row: (tenant_id) => ({ tenant_id, digest: long(), hint: 'abcd' }),
    change: { hint: 'dcba' },
  },
  llm_cache: {
    members: 'none',
    keeper: PRUNES,
    // By `cached_answer` only.
    reader: ['none', 'refused', 'refused', 'refused'],
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
    row: (tenant_id) => ({ tenant_id, model_id: name(), model_name: 'm' }),
    change: { is_public: true },
  },
  model_aliases: {
    members: 'none',
    row: (tenant_id) => ({ tenant_id, name: name(), kind: 'fallback', targets: [{ model: 'm' }] }),
    change: { kind: 'weighted' },
  },
  provider_keys: {
    members: 'none',
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
    keeper: PRUNES,
    row: (tenantId) => predictionRow(tenantId, Date.parse(AT)),
    change: later(),
  },
  prediction_texts: {
    members: 'own',
    recorder: ADDS_BY_ID,
    keeper: PRUNES,
    // Who cannot see that the tenant keeps text has it left out, before any policy is asked.
    foreign: 'none',
    row: (tenant_id) => ({ prediction_id: name(), tenant_id, created_at: AT, prompt: 'p', answer: 'a' }),
    change: later(),
  },
  dead_letters: {
    members: 'none',
    recorder: ADDS_BY_ID,
    keeper: PRUNES,
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
    recorder: ADDS_BY_ID,
    keeper: PRUNES,
    row: (tenantId) => foldedRow(tenantId, Date.parse(AT)),
    change: { requests: 1_000_000 },
  },
  quality_feedback_history: {
    members: 'own',
    recorder: ADDS,
    keeper: PRUNES,
    row: (tenantId) => feedbackRow(tenantId, uuidv7(Date.parse(AT))),
    change: { thumbs: 'down' },
  },
  quality_feedback: {
    members: 'own',
    // By the trigger of the table above only.
    recorder: ['none', 'refused', 'none', 'refused'],
    // It matches, and changes nothing of what was said.
    keeper: PRUNES,
    row: (tenant_id) => ({ tenant_id, prediction_id: name(), source: 'bot', received_at: AT, revisions: 1 }),
    change: { thumbs: 'down' },
  },
  quality_improvements: {
    members: 'own',
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
  budgets: {
    members: 'own',
    row: (tenant_id) => ({ tenant_id, period: 'day', limit_usd: 5, is_hard: true }),
    apart: () => ({ key_id: BUDGET_KEYS.pop() }),
    change: { limit_usd: 6 },
  },
  ledger: {
    members: 'own',
    recorder: ADDS_BY_ID,
    keeper: PRUNES,
    row: (tenant_id) => ({ tenant_id, prediction_id: name(), created_at: AT, cost_usd: 1 }),
    change: { cost_usd: 0 },
  },
  ledger_attempts: {
    members: 'own',
    recorder: ADDS_BY_ID,
    keeper: PRUNES,
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
  cost_counts: {
    members: 'none',
    // By `next_cost_batch` only.
    recorder: ['none', 'done', 'none', 'none'],
    owner: 'tenant',
    row: (tenant) => ({ tenant, spent_usd: 1 }),
    change: { batch: 0 },
  },
  cost_tellers: {
    members: 'none',
    recorder: ['none', 'refused', 'none', 'refused'],
    owner: 'source',
    row: (source) => ({ source }),
    change: { batch: 1 },
  },
  roll_up_minutes: {
    members: 'own',
    keeper: ['all', 'done', 'done', 'done'],
    row: totals,
    change: { requests: 2 },
  },
  roll_up_hours: { members: 'own', keeper: SUMS_UP, row: totals, change: { requests: 2 } },
  feedback_hours: {
    members: 'own',
    keeper: SUMS_UP,
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
  audit_log: {
    members: 'none',
    service: KEEPS,
    row: (tenant_id) => ({ id: name(), tenant_id, actor: 'operator', action: 'key.create' }),
    change: { action: 'key.revoke' },
  },
  audit_details: {
    members: 'none',
    service: KEEPS,
    row: (tenant_id) => ({ id: name(), tenant_id, request_id: 'r' }),
    change: { target: 'another' },
  },
  upkeep: {
    members: 'none',
    keeper: SUMS_UP,
    owner: 'error',
    row: (error) => ({ job: name(), ran_at: AT, took_ms: 1, error }),
    change: { took_ms: 2 },
  },
}

/** The grants behind them, to the column. One that is missing here fails the test. */
export const GRANTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  beast_recorder: {
    tenants: 'select(id,keeps_text)',
    ml_predictions: 'insert select(id,tenant_id,model,provider,mode)',
    prediction_texts: 'insert select(prediction_id)',
    dead_letters: 'insert select(id)',
    prediction_minutes: 'insert select(id)',
    quality_feedback_history: 'insert select',
    quality_feedback: 'insert select update',
    ledger: 'insert select(prediction_id)',
    ledger_attempts: 'insert select(prediction_id,attempt)',
    erasures: 'select',
    cost_counts: 'delete insert select update(batch)',
    cost_tellers: 'select update(batch)',
  },
  beast_keeper: {
    tenants:
      'select(id,keeps_text,retention_days,text_retention_days,feedback_retention_days,ledger_retention_days,predictions_pruned_before,feedback_pruned_before) update(predictions_pruned_before,feedback_pruned_before)',
    llm_cache: 'delete select(key,tenant_id,bytes,created_at,expires_at)',
    ml_predictions: 'delete select',
    prediction_texts: 'delete select(prediction_id,tenant_id,created_at)',
    dead_letters: 'delete select(id,tenant_id,kind,buried_at)',
    prediction_minutes: 'delete select',
    quality_feedback_history: 'delete select(tenant_id,prediction_id,source)',
    quality_feedback: 'delete select update(changed_at,matched_at,model,provider,mode)',
    ledger: 'delete select(prediction_id,tenant_id,created_at)',
    ledger_attempts: 'delete select(prediction_id,attempt,tenant_id,created_at)',
    roll_up_minutes: 'delete insert select update',
    roll_up_hours: 'insert select update',
    feedback_hours: 'insert select update',
    upkeep: 'insert select update',
  },
  beast_reader: { llm_cache: 'select(key,tenant_id,sealed,expires_at)' },
  authenticated: Object.fromEntries(
    Object.entries(TABLES).flatMap(([table, { members }]) => (members === 'own' ? [[table, 'select']] : [])),
  ),
}

/**
 * Every view: `own` is for members, whom it shows what the tables behind it do; `none` for the service role alone. One that
 * is missing here fails the test.
 */
export const VIEWS: Readonly<Record<string, 'own' | 'none'>> = {
  answer_ratings: 'own',
  cache_by_hour: 'own',
  cost_by_hour: 'own',
  custom_model_overview: 'none',
  dashboard_costs: 'own',
  dashboard_entry_ages: 'own',
  dashboard_latency: 'own',
  dashboard_requests: 'own',
  dashboard_scores: 'own',
  dashboard_troubles: 'own',
  feedback_rate: 'own',
  feedback_status: 'own',
  improvement_by_month: 'own',
  latency_by_hour: 'own',
  model_overview: 'own',
  prediction_accuracy: 'own',
  quality_by_hour: 'own',
  requests_by_minute: 'own',
  tenant_overview: 'own',
  audit_entries: 'none',
  tenant_records: 'none',
}

/** The functions that each may call; of all others it is refused. */
export const FUNCTIONS: Readonly<Record<string, readonly string[]>> = {
  beast_recorder: ['add_to_ledger', 'next_cost_batch'],
  beast_keeper: [
    'count_llm_cache',
    'feedback_score',
    'latency_buckets',
    'match_feedback',
    'merge_buckets',
    'prune_dead_letters',
    'prune_expired',
    'prune_llm_cache',
    'roll_up',
  ],
  beast_reader: ['cached_answer'],
  authenticated: ['bucket_quantile', 'caller_tenant', 'feedback_score', 'latency_buckets', 'merge_buckets'],
}

/** The column that says whose a row is. */
export const ownerColumn = (table: string): string =>
  TABLES[table]?.owner ?? (table === 'tenants' ? 'id' : 'tenant_id')

/**
 * What is to happen when a role tries a verb on a table over HTTP.
 * @param genuine whether grants count; the embedded REST surface grants everything to anon and authenticated at its
 *   first request, so that there policies stand alone
 */
export function expected(table: string, role: Role, verb: Verb, genuine: boolean): Outcome {
  const { members, foreign = 'refused', ...workers } = TABLES[table] as Rights
  if (role === 'service')
    return workers.service?.[VERBS.indexOf(verb)] ?? (verb === 'select' ? 'all' : 'done')
  if (role === 'recorder' || role === 'keeper' || role === 'reader')
    return (workers[role] ?? NOTHING)[VERBS.indexOf(verb)] as Outcome
  if (genuine && (role === 'anon' || verb !== 'select' || members === 'none')) return 'refused'
  if (verb === 'insert') return role === 'member' ? 'refused' : foreign
  return verb === 'select' && (role === 'member' || role === 'neighbour') ? members : 'none'
}

/** Columns to ask for where a role may not see all. */
export const columnsOf = (table: string, role: Role): string =>
  GRANTS[`beast_${role}`]?.[table]?.match(/select\(([^)]*)\)/)?.[1] ?? '*'
