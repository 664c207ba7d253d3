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
const STACKS = ['contract', 'database', 'deploy', 'e2e', 'recorder', 'scripts', 'state']
/** Folders whose tests state times, or end processes under load: one at a time, and nothing beside them. */
const TIMED = ['faults', 'history', 'ops']

const inFolders = (folders: readonly string[]): string[] =>
  folders.map((folder) => `test/${folder}/**/*.test.ts`)

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
          exclude: inFolders([...STACKS, ...TIMED]),
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: 'stacks', include: inFolders(STACKS), maxWorkers: 2, sequence: { groupOrder: 1 } },
      },
      {
        extends: true,
        test: {
          name: 'timed',
          include: inFolders(TIMED),
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
})
