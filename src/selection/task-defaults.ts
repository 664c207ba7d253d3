import type { JsonObject } from '../core/json.ts'
import type { Task } from './task.ts'
import { AUTO } from './wanted.ts'

interface Profile {
  readonly temperature: number
  readonly maxTokens: number
}

/** What suits a task where the caller leaves the choice to the gateway. */
export const PROFILES: Readonly<Record<Task, Profile>> = {
  code_generation: { temperature: 0.3, maxTokens: 4_000 },
  chat: { temperature: 0.7, maxTokens: 2_000 },
  refactoring: { temperature: 0.2, maxTokens: 4_000 },
  testing: { temperature: 0.1, maxTokens: 2_000 },
  documentation: { temperature: 0.5, maxTokens: 3_000 },
}

/** Adds what the task suggests and the caller did not say; only where the caller did not choose a model either. */
export function withTaskDefaults<R extends JsonObject>(request: R, task: Task): R {
  if (!leavesItToUs(request.model)) return request
  const { temperature, maxTokens } = PROFILES[task]
  const hasTemperature = isGiven(request.temperature)
  const hasMaximum = isGiven(request.max_tokens) || isGiven(request.max_completion_tokens)
  if (hasTemperature && hasMaximum) return request
  return {
    ...request,
    ...(hasTemperature ? undefined : { temperature }),
    ...(hasMaximum ? undefined : { max_tokens: maxTokens }),
  }
}

/** Most tokens that the request wants as an answer; 0 = it does not say. */
export function maxOutputTokens({ max_completion_tokens, max_tokens }: JsonObject): number {
  const given = max_completion_tokens ?? max_tokens
  return typeof given === 'number' ? given : 0
}

const OURS = 'beast-mode-'

/** Whether the name leaves the choice, and with it the settings, to the gateway. */
export const leavesItToUs = (model: unknown): boolean =>
  typeof model === 'string' &&
  (model === AUTO || model.startsWith(OURS) || model.startsWith(`custom:${OURS}`))

/** `null` is what clients send for "not said". */
const isGiven = (value: unknown): boolean => value !== undefined && value !== null
