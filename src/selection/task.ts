/** The kinds of work that are told apart without asking a model. */
export const TASKS = ['code_generation', 'chat', 'refactoring', 'testing', 'documentation'] as const
export type Task = (typeof TASKS)[number]
