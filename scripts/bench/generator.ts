import { once } from 'node:events'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { LoadResult, LoadTask } from './load.ts'

/** The load, on a thread of its own. One task at a time. */
export interface Generator {
  run(task: LoadTask): Promise<LoadResult>
  close(): Promise<unknown>
}

export function startGenerator(): Generator {
  const thread = new Worker(join(import.meta.dirname, 'load.ts'))
  return {
    run: async (task) => {
      thread.postMessage(task)
      const [result] = (await once(thread, 'message')) as [LoadResult]
      return result
    },
    close: () => thread.terminate(),
  }
}
