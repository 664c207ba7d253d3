import { ERRORS, type ErrorCode } from '../../core/errors.ts'
import type { LabelRule } from './family.ts'

export const PROVIDER = { names: 'provider' } as const satisfies LabelRule
export const MODEL = { names: 'model' } as const satisfies LabelRule
export const TENANT = { names: 'tenant' } as const satisfies LabelRule

/** Classes of requests; the configuration says which kind of request is which. */
export const MODES = ['1', '2', '3', '4'] as const
/** `error`: the gateway or its upstream failed, also after a 200; `cancelled`: the client left. */
export const OUTCOMES = ['success', 'client_error', 'error', 'cancelled'] as const
/** Of all that is not a request. */
export const ENDED = ['success', 'error'] as const
export const BOOLEAN = ['true', 'false'] as const

export const LOOKED_UP = ['hit', 'miss', 'bypass'] as const
export const TIERS = ['memory', 'kv', 'redis', 'supabase'] as const

/** Tables that a queue leads to. */
export const TABLES = [
  'ml_predictions',
  'prediction_minutes',
  'prediction_texts',
  'quality_feedback',
  'quality_improvements',
  'ledger',
] as const

export const ERROR_TYPES = Object.keys(ERRORS) as ErrorCode[]
