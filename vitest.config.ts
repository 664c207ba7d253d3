import { readFileSync } from 'node:fs'
import { defineConfig, type Plugin } from 'vitest/config'

/** Pages and styles are text to a worker; so they are to a test. */
const textModules: Plugin = {
  name: 'text-modules',
  enforce: 'pre',
  load: (id) =>
    /\.(html|css)$/.test(id) ? `export default ${JSON.stringify(readFileSync(id, 'utf8'))}` : undefined,
}

export default defineConfig({
  plugins: [textModules],
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 90_000,
    // Tests state times, and whole stacks beside one another would only wait for each other.
    fileParallelism: false,
    reporters: ['default'],
  },
})
