import type { Task } from './task.ts'

/** What a request asks of a model, read from its parsed form without asking any model. */
export interface Needs {
  readonly task: Task
  /** Upper estimate of the input, and what the caller wants at most as output (0 = not said), tokens. */
  readonly inputTokens: number
  readonly outputTokens: number
  readonly tools: boolean
  readonly vision: boolean
  readonly json: boolean
  /** Share of the last user message that is code, 0 to 1. */
  readonly codeShare: number
  /** Programming language of the code in it, lower case; undefined when there is none or it is unclear. */
  readonly codeLanguage?: string | undefined
}
