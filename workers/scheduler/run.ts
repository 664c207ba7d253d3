import { JOBS, type Job, type JobIo } from './jobs.ts'

const MAX_ERROR = 500

/**
 * Does what is due by a cron, one job after the other: one that fails is logged, and the next ones are done all the
 * same. How each went is a line of the log and a row of `upkeep`.
 * @throws Error naming what failed, so that the platform counts the run as failed, too
 */
export async function runDue(cron: string, io: JobIo): Promise<void> {
  const failed: string[] = []
  for (const job of JOBS[cron] ?? []) if (!(await runOne(job, io))) failed.push(job.name)
  if (failed.length > 0) throw new Error(`Upkeep failed: ${failed.join(', ')}.`)
}

async function runOne(job: Job, io: JobIo): Promise<boolean> {
  const startedMs = io.now()
  const run = { job: job.name, ran_at: new Date(startedMs).toISOString() }
  const tookMs = () => Math.max(0, io.now() - startedMs)
  const say = (level: 'info' | 'error', what: object) =>
    io.log(level, JSON.stringify({ level, code: 'upkeep', job: job.name, tookMs: tookMs(), ...what }))
  try {
    const result = await job.run(io)
    await note(io, { ...run, took_ms: tookMs(), error: null, succeeded_at: run.ran_at, result })
    say('info', result)
    return true
  } catch (thrown) {
    const error = (thrown instanceof Error ? thrown.message : String(thrown)).slice(0, MAX_ERROR)
    say('error', { message: error })
    // Where the database is what failed, the log has to do.
    await note(io, { ...run, took_ms: tookMs(), error }).catch(() => {})
    return false
  }
}

/** What a row does not name stays: after a failure, the time and the result of the last success. */
async function note({ connect }: JobIo, row: Readonly<Record<string, unknown>>): Promise<void> {
  await connect().from('upkeep').upsert(row, { onConflict: 'job' }).throwOnError()
}
