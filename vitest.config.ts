import { readFileSync } from 'node:fs'
import { defineConfig, type Plugin } from 'vitest/config'

/** Pages and styles are text to a worker; so they are to a test. */
const textModules: Plugin = {
  name: 'text-modules',
  enforce: 'pre',
  load: (id) =>
    /\.(html|css)$/.test(id) ? `export default ${JSON.stringify(readFileSync(id, 'utf8'))}` : undefined,
}

/** Folders whose tests start whole stacks: two at a time, since most of a stack's life is waiting for its parts. */
const STACKS = [
  'contract',
  'database',
  'deploy',
  'e2e',
  'faults',
  'history',
  'ops',
  'recorder',
  'scripts',
  'state',
].map((folder) => `test/${folder}/**/*.test.ts`)
/** Tests that state times: one at a time, and nothing beside them. */
const TIMED = ['stores', 'streams', 'timing', 'upstream', 'workerd'].map(
  (fault) => `test/faults/${fault}.test.ts`,
)

export default defineConfig({
  plugins: [textModules],
  test: {
    testTimeout: 30_000,
    hookTimeout: 90_000,
    reporters: ['default'],
    projects: [
      {
        extends: true,
        test: {
          name: 'parts',
          include: ['test/**/*.test.ts'],
          exclude: STACKS,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'stacks',
          include: STACKS,
          exclude: TIMED,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'timed',
          include: TIMED,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
})
