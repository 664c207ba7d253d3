import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import { redisServerPresent as redisServer } from '../../scripts/stack/redis-server.ts'

export const redisServerPresent = redisServer()

const answers = (program: string): boolean => spawnSync(program, ['--version']).status === 0
/** Debian's `prometheus` has prometheus and promtool, `prometheus-alertmanager` has amtool. */
export const promtoolPresent = answers('promtool')
export const prometheusPresent = answers('prometheus')
export const amtoolPresent = answers('amtool')

/** Public test data that a stranger's clone does not have. */
export const SHARED_DATA = join(import.meta.dirname, '../../../shared/data')

/**
 * A suite that needs something from outside. Where that is absent it is reported as skipped by name, and as
 * failed where REQUIRE_ALL=1 says that everything must be there.
 */
export function describeWith(need: string, present: boolean, title: string, suite: () => void): void {
  if (present) describe(title, suite)
  else if (process.env.REQUIRE_ALL === '1') {
    it(`${title}: needs ${need}`, () => {
      throw new Error(`${need} is not here, and REQUIRE_ALL=1 allows no skip`)
    })
  } else describe.skip(`${title} (skipped: needs ${need})`, suite)
}

export const hasShared = (path: string): boolean => existsSync(join(SHARED_DATA, path))
