import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ERRORS } from '../src/core/errors.ts'
import { ROOT } from './support/stores.ts'

const guides = [
  join(ROOT, 'README.md'),
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(ROOT, 'docs', name)),
]

describe('the guides', () => {
  it('name every error, with its status and whose fault it is', () => {
    const rows = readFileSync(join(ROOT, 'docs/errors.md'), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('| `'))
    for (const [code, { status, fault }] of Object.entries(ERRORS)) {
      const row = rows.find((line) => line.split('|')[1]?.includes(`\`${code}\``))
      expect(row, code).toBeDefined()
      expect(row?.split('|').map((cell) => cell.trim())).toMatchObject({ 2: String(status), 3: fault })
    }
  })

  it('link to what exists', () => {
    for (const guide of guides) {
      const links = [...readFileSync(guide, 'utf8').matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(
        ([, target = '']) => target,
      )
      for (const target of links.filter((each) => !each.includes('://')))
        expect(existsSync(join(dirname(guide), target)), `${guide}: ${target}`).toBe(true)
    }
  })

  it('name only commands that exist', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
    for (const guide of guides) {
      for (const [, name = ''] of readFileSync(guide, 'utf8').matchAll(/npm run (?:-s )?([a-z][\w:-]*)/g))
        expect(scripts, `${guide}: ${name}`).toHaveProperty([name])
    }
  })
})
