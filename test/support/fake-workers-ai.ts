import type { WorkersAiBinding } from '../../workers/gateway/workers-ai.ts'

export interface AiCall {
  readonly model: string
  // biome-ignore lint/suspicious/noExplicitAny: read as each test expects it
  readonly inputs: any
  readonly options: Parameters<WorkersAiBinding['run']>[2]
}

export interface FakeWorkersAi extends WorkersAiBinding {
  readonly calls: readonly AiCall[]
  /** What the next call gets. */
  serve(answer: () => Response | Promise<Response>): void
}

/** Stands for `env.AI`, which exists only in an account and costs money. */
export function fakeWorkersAi(): FakeWorkersAi {
  const calls: AiCall[] = []
  let next = (): Response | Promise<Response> => Response.json({ response: 'Hello.' })
  return {
    calls,
    serve: (answer) => {
      next = answer
    },
    run: async (model, inputs, options) => {
      calls.push({ model, inputs, options })
      return next()
    },
  }
}
