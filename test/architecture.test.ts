import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ROOT } from './support/stores.ts'

/** Higher layers may import lower ones and their own, never the other way round. */
const LAYERS: readonly (readonly string[])[] = [
  ['core'],
  ['models', 'providers', 'tenants', 'cache', 'metrics', 'cost', 'feedback', 'switches'],
  ['selection', 'warming', 'training'],
  ['routing'],
  ['dashboard', 'capabilities', 'workflows'],
]
const levelOf = (folder: string): number => LAYERS.findIndex((layer) => layer.includes(folder))

const sources = (dir: string): string[] =>
  readdirSync(join(ROOT, dir), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(dir, file))

const importsOf = (file: string): string[] =>
  [...readFileSync(join(ROOT, file), 'utf8').matchAll(/(?:from|import)\s*\(?'([^']+)'/g)].map(
    ([, name]) => name ?? '',
  )

/** What an import is, seen from the root: `src/cache/tier.ts`, or a package's name. */
const target = (file: string, name: string): string =>
  name.startsWith('.') ? relative(ROOT, resolve(ROOT, file, '..', name)) : name

/** Files over 300 lines, each with its reason. */
const LONG: readonly string[] = []

describe('the house', () => {
  it('has every folder of src in a layer', () => {
    const folders = readdirSync(join(ROOT, 'src'), { withFileTypes: true }).filter((entry) =>
      entry.isDirectory(),
    )
    for (const { name } of folders) expect(levelOf(name), name).toBeGreaterThanOrEqual(0)
  })

  it('lets imports run one way', () => {
    for (const file of sources('src')) {
      const level = levelOf(file.split('/')[1] ?? '')
      for (const name of importsOf(file)) {
        const imported = target(file, name)
        if (!name.startsWith('.')) {
          expect(imported, `${file} needs the runtime`).not.toMatch(/^(node:|cloudflare:|wrangler)/)
          continue
        }
        expect(imported, `${file} imports ${imported}`).toMatch(/^src\//)
        expect(levelOf(imported.split('/')[1] ?? ''), `${file} imports ${imported}`).toBeLessThanOrEqual(
          level,
        )
      }
    }
  })

  it('keeps scripts and tests out of what is deployed', () => {
    for (const file of sources('workers')) {
      for (const name of importsOf(file)) expect(target(file, name), file).not.toMatch(/^(scripts|test)\//)
    }
  })

  it('keeps files short', () => {
    for (const file of [...sources('src'), ...sources('workers'), ...sources('scripts')]) {
      const lines = readFileSync(join(ROOT, file), 'utf8').split('\n').length
      if (!LONG.includes(file)) expect(lines, file).toBeLessThanOrEqual(300)
    }
  })

  it('builds no query and no code from text', () => {
    for (const file of [...sources('src'), ...sources('workers')]) {
      const text = readFileSync(join(ROOT, file), 'utf8')
      expect(text, file).not.toMatch(/\beval\(|new Function\(|\.or\(`|\.filter\(`|exec_sql/)
    }
  })

  it('shares no promise between requests: module scope holds values only', () => {
    for (const file of [...sources('src'), ...sources('workers')]) {
      const text = readFileSync(join(ROOT, file), 'utf8')
      expect(text, file).not.toMatch(
        /^(?:export )?(?:let|const) \w+(?:: [^=]+)? = (?:await |new Promise|Promise\.|fetch\()/m,
      )
    }
  })
})
