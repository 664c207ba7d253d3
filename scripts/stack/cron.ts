import type { Clock } from '../../src/core/clock.ts'

const MINUTE_MS = 60_000

export interface CronOptions {
  readonly clock: Clock
  /** As in a `wrangler.toml`: `*`, a number, or a step for the minutes, and every hour of every day. */
  readonly crons: readonly string[]
  /** Called for each that is due, one after the other. */
  readonly run: (cron: string) => Promise<void>
}

/** Does at each full minute what the platform does with `crons` once they are deployed, and `wrangler dev` does not. */
export function startCron({ clock, crons, run }: CronOptions): { close(): Promise<void> } {
  let running: Promise<void> = Promise.resolve()
  let cancel = () => {}
  const wait = () => {
    cancel = clock.after(MINUTE_MS - (clock.now() % MINUTE_MS), () => {
      const due = crons.filter((cron) => isDue(cron, clock.now()))
      running = running.then(async () => {
        // How it went is in the table `upkeep` and in the log; the next one runs in any case.
        for (const cron of due) await run(cron).catch(() => {})
      })
      wait()
    })
  }
  wait()
  return {
    close: async () => {
      cancel()
      await running
    },
  }
}

/** @throws SyntaxError for a cron that says more than when in the hour */
export function isDue(cron: string, atMs: number): boolean {
  const [, every, step, exact] = /^(?:(\*)|\*\/(\d+)|(\d+))(?: \*){4}$/.exec(cron) ?? []
  const minute = new Date(atMs).getUTCMinutes()
  if (every) return true
  if (step) return minute % Number(step) === 0
  if (exact) return minute === Number(exact)
  throw new SyntaxError(`not a cron within the hour: ${cron}`)
}
