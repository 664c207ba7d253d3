import { GatewayError } from '../core/errors.ts'
import type { Needs } from './needs.ts'
import type { Decision } from './select.ts'
import type { Candidate, Reason } from './strategy.ts'

/** About as long as a breaker stays open. */
const RETRY_AFTER_MS = 5_000

/**
 * What stands in the way, in the order in which it is told: first what ends by itself, then what the caller can
 * change in the request, then what somebody has to grant or switch on.
 */
const TOLD: readonly Reason[] = [
  'unhealthy',
  'switched_off',
  'no_tools',
  'no_vision',
  'no_json',
  'context_too_short',
  'plan_required',
  'inactive',
]

/**
 * Why none of the models can be used. Says nothing of models that are not the caller's.
 * @param name the request's `model`, as it came
 * @param opensInMs when the first of them may be asked again, where they said so themselves
 */
export function noModel(
  decision: Decision,
  name: string,
  needs: Needs,
  opensInMs: number | undefined = RETRY_AFTER_MS,
): GatewayError {
  const reasons = new Set(decision.considered.map(({ excluded }) => excluded))
  const reason = TOLD.find((known) => reasons.has(known))
  const named = name !== 'auto'
  const what = named ? `The model "${name}"` : 'Every model that could answer'
  switch (reason) {
    case 'unhealthy':
      return new GatewayError(
        'model_unavailable',
        `${what} fails at the moment.`,
        named ? 'Try again in some seconds, or ask for "auto".' : 'Try again in some seconds.',
        { param: 'model', retryAfterSeconds: Math.ceil(opensInMs / 1_000) },
      )
    case 'switched_off':
      return new GatewayError(
        'model_unavailable',
        `${what} is turned off by whoever runs this gateway.`,
        named
          ? 'Ask for "auto" or another model from GET /v1/models, or ask whoever runs this gateway when it is back.'
          : 'Ask whoever runs this gateway when it is back.',
        { param: 'model' },
      )
    case 'inactive':
      return new GatewayError(
        'model_unavailable',
        `${what} is switched off.`,
        named
          ? 'Switch it on where it is yours, or choose a model from GET /v1/models.'
          : 'Switch on one of your models at /api/models/custom.',
        { param: 'model' },
      )
    case 'plan_required':
      return planRequired(named ? `The model "${name}" is` : 'The models here are')
    case 'no_tools':
      return incapable(named, `${what} cannot call tools.`, 'send the request without tools', 'tools')
    case 'no_vision':
      return incapable(named, `${what} takes no images.`, 'send the request without images', 'messages')
    case 'no_json':
      return incapable(
        named,
        `${what} cannot keep to response_format.`,
        'send the request without it',
        'response_format',
      )
    case 'context_too_short':
      return tooLong(decision.considered, what, named, needs)
    default:
      return notFound(named)
  }
}

const incapable = (named: boolean, message: string, otherwise: string, param: string) =>
  new GatewayError(
    'capability_missing',
    message,
    named
      ? `Choose a model that can from GET /v1/models, or ${otherwise}.`
      : `Add a model that can at /api/models/custom, or ${otherwise}.`,
    { param },
  )

function tooLong(considered: readonly Candidate[], what: string, named: boolean, needs: Needs): GatewayError {
  const longest = considered.reduce(
    (most, { model, excluded }) =>
      excluded === 'context_too_short' ? Math.max(most, model.capabilities.contextTokens ?? 0) : most,
    0,
  )
  const asked = needs.inputTokens + needs.outputTokens
  return incapable(
    named,
    `${what} has too short a context: this request may need ${asked} tokens, and there is room for ${longest}.`,
    'shorten messages or lower max_tokens',
    'messages',
  )
}

const planRequired = (what: string) =>
  new GatewayError(
    'plan_required',
    `${what} not part of your plan.`,
    'Add a model or a provider key of your own, or ask whoever runs this gateway for the paid plan.',
    { param: 'model' },
  )

const notFound = (named: boolean) =>
  named
    ? new GatewayError(
        'model_not_found',
        'There is no model of this name.',
        'Call GET /v1/models for the names you may use.',
        { param: 'model' },
      )
    : new GatewayError(
        'model_not_found',
        'No model is available to you.',
        'Add one at /api/models/custom, or ask whoever runs this gateway to configure a provider.',
        { param: 'model' },
      )
