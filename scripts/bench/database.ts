import { once } from 'node:events'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'

/** What the thread needs, and what it says once it serves. */
export interface DatabaseTask {
  readonly migrationsDir: string
  readonly secretKey: string
  /** Under which the load's keys are stored as digests. */
  readonly pepper: string
}
export interface DatabaseReady {
  readonly url: string
}

/**
 * The embedded Supabase, in memory, with the tenants and keys of the load. On a thread of its own: Postgres
 * keeps a thread busy for milliseconds at a time, and nobody else's answer is to wait for that.
 */
export async function startDatabase(
  task: DatabaseTask,
): Promise<DatabaseReady & { close(): Promise<unknown> }> {
  const thread = new Worker(join(import.meta.dirname, 'database-thread.ts'), { workerData: task })
  const [{ url }] = (await once(thread, 'message')) as [DatabaseReady]
  return { url, close: () => thread.terminate() }
}
