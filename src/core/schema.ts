import * as z from 'zod/mini'
import { type ErrorCode, GatewayError } from './errors.ts'

// No code from strings: Workers forbid it, and trying costs start-up time.
z.config({ jitless: true })

/**
 * Judges a parsed body against a schema.
 * @param tipFor the next step for the field at fault; '' is the body itself
 * @returns what the schema makes of it
 * @throws GatewayError of that code, with the path of the first field at fault
 */
export function judge<T>(
  schema: z.ZodMiniType<T>,
  body: unknown,
  tipFor: (param: string) => string,
  code: ErrorCode = 'invalid_request',
): T {
  const result = schema.safeParse(body)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const param = issue ? pathOf(issue) : ''
  throw new GatewayError(code, explain(param, issue), tipFor(param), {
    param: param || undefined,
  })
}

function explain(param: string, issue: z.core.$ZodIssue | undefined): string {
  const what = param ? `The field "${param}"` : 'The body'
  if (!issue) return `${what} is not valid.`
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? `${what} is missing.` : `${what} must be of type ${issue.expected}.`
    case 'too_small':
      return `${what} is too small or too short: at least ${issue.minimum}.`
    case 'too_big':
      return `${what} is too large or too long: at most ${issue.maximum}.`
    case 'invalid_value':
      return `${what} must be one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}.`
    case 'invalid_union':
      return `${what} has a type that is not supported here.`
    case 'unrecognized_keys':
      return `${what} is not known here.`
    default:
      return `${what} is not valid.`
  }
}

/** `['messages', 0, 'role']` -> `messages[0].role`, bounded: the names may be the caller's own. */
function pathOf(issue: z.core.$ZodIssue): string {
  const parts = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0] ?? ''] : issue.path
  let text = ''
  for (const part of parts) text += typeof part === 'number' ? `[${part}]` : `${text && '.'}${String(part)}`
  return text.slice(0, 200)
}

/** The tip for a field. Fields are named by callers: one that is called `constructor` has none. */
export const tipIn = (tips: Readonly<Record<string, string>>, param: string): string | undefined =>
  Object.hasOwn(tips, param) ? tips[param] : undefined
