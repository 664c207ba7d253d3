import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'vite'

// The page at /monitoring, as static files. Does nothing while its sources are as they were.

const ROOT = join(import.meta.dirname, '..')
const OUT = join(ROOT, 'dist/page')
/** Beside the page, not in it: what lies in it is served. */
const DIGEST = join(ROOT, 'dist/page.sha256')
/** What it is made of. */
const SOURCES = ['src/core', 'src/metrics', 'src/dashboard']
const FILES = ['package-lock.json', 'scripts/build-page.ts']

const digest = digestOfSources()
if (!isFresh()) await buildPage()

function isFresh(): boolean {
  return existsSync(join(OUT, 'index.html')) && existsSync(DIGEST) && readFileSync(DIGEST, 'utf8') === digest
}

function digestOfSources(): string {
  const hash = createHash('sha256')
  const files = SOURCES.flatMap((dir) =>
    readdirSync(join(ROOT, dir), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name)),
  )
  for (const file of [...files, ...FILES.map((name) => join(ROOT, name))].sort())
    hash
      .update(`${file.slice(ROOT.length)}\0`)
      .update(readFileSync(file))
      .update('\0')
  return hash.digest('hex')
}

/** Into a folder of its own first: two may build at once, and nobody is to find half a page. */
async function buildPage(): Promise<void> {
  const made = join(ROOT, `dist/page-${process.pid}`)
  mkdirSync(made, { recursive: true })
  try {
    await build({
      root: join(ROOT, 'src/dashboard/page'),
      base: '/monitoring/',
      configFile: false,
      logLevel: 'warn',
      build: {
        outDir: made,
        emptyOutDir: true,
        target: 'es2024',
        // A script in the page's own text would be refused by its policy; so would a picture.
        modulePreload: { polyfill: false },
        assetsInlineLimit: 0,
      },
    })
    rmSync(OUT, { recursive: true, force: true })
    renameSync(made, OUT)
    writeFileSync(DIGEST, digest)
  } finally {
    rmSync(made, { recursive: true, force: true })
  }
}
