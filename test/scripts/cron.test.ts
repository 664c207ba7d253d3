import { expect, it } from 'vitest'
import { isDue, startCron } from '../../scripts/stack/cron.ts'
import { JOBS } from '../../workers/scheduler/jobs.ts'
import { fakeClock } from '../support/fake-clock.ts'

const HOUR_MS = 3_600_000

it('runs what is due at each full minute, whatever failed before, until it is closed', async () => {
  const start = Date.UTC(2026, 10, 20, 12, 59, 30)
  const clock = fakeClock(start)
  const ran: string[] = []
  const cron = startCron({
    clock,
    crons: Object.keys(JOBS),
    run: async (due) => {
      ran.push(`${new Date(clock.now()).toISOString().slice(11, 19)} ${due}`)
      if (due === '* * * * *') throw new Error('it failed')
    },
  })
  await clock.advance(HOUR_MS)
  expect(ran).toHaveLength(60 + 4 + 1)
  expect(ran.filter((line) => !line.endsWith(' * * * * *'))).toEqual([
    '13:00:00 */15 * * * *',
    '13:07:00 7 * * * *',
    '13:15:00 */15 * * * *',
    '13:30:00 */15 * * * *',
    '13:45:00 */15 * * * *',
  ])
  await cron.close()
  await clock.advance(HOUR_MS)
  expect(ran).toHaveLength(65)
})

it('does not guess at a cron that it cannot read', () => {
  for (const cron of ['', '* * * *', '0 3 * * *', '1-5 * * * *', 'a * * * *'])
    expect(() => isDue(cron, 0)).toThrow(SyntaxError)
})
