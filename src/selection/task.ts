import { shortened } from './chat-text.ts'
import { type Parts, takeApart } from './code.ts'
import { eachFeature } from './task-features.ts'
import { TASK_WEIGHTS } from './task-weights.ts'

/** The kinds of work that are told apart without asking a model. */
export const TASKS = ['code_generation', 'chat', 'refactoring', 'testing', 'documentation'] as const
export type Task = (typeof TASKS)[number]

/**
 * What kind of work a message asks for, by a linear model over its words and its code. Pure, and linear in the
 * text, of which each end counts. A message that says nothing known is chat.
 */
export const recognise = (text: string): Task => recogniseParts(takeApart(shortened(text)))

export function recogniseParts(parts: Parts): Task {
  const scores = new Int32Array(TASKS.length)
  const seen = new Set<Int8Array>()
  let said = false
  eachFeature(parts, (feature) => {
    const weights = WEIGHTS.get(feature)
    if (!weights || seen.has(weights)) return
    seen.add(weights)
    said ||= isSaid(feature)
    for (let i = 0; i < scores.length; i++) scores[i] = (scores[i] ?? 0) + (weights[i] ?? 0)
  })
  if (!said) return 'chat'
  return TASKS[scores.indexOf(Math.max(...scores))] ?? 'chat'
}

/** Whether the feature is something of the words, not only of length or code. */
const isSaid = (feature: string): boolean => !feature.startsWith('#')

/** Of each feature its name and its weight for each task, in the order of `TASKS`. */
const WEIGHTS: ReadonlyMap<string, Int8Array> = new Map(
  TASK_WEIGHTS.split(/[|\n]/).map((entry) => {
    const [feature = '', ...weights] = entry.split(' ')
    return [feature, Int8Array.from(weights, Number)]
  }),
)
