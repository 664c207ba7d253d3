import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { freePort, serve, writeConfig } from '../../scripts/bench/workerd.ts'
import type { Jurisdiction } from '../../scripts/deploy/cloudflare.ts'
import { configPath, deployConfigs, writeConfigs } from '../../scripts/deploy/configs.ts'
import { wranglerOf } from '../../scripts/deploy/wrangler.ts'
import { ROOT } from '../support/stores.ts'

const dir = mkdtempSync(join(tmpdir(), 'beast-bundles-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

// A worker without fetch would never answer, so one in front is asked, to which the bundle is bound. workerd loads
// every worker before it answers anything, and ends when one cannot be loaded.
const front = join(import.meta.dirname, '../../scripts/bench/hello.js')
const OBJECTS = ['Account', 'Flight', 'Idempotency', 'MetricsShard', 'MetricsHub']

/** Bundles as `npm run deploy` does. */
async function bundled(part: string, jurisdiction: Jurisdiction | undefined): Promise<string> {
  const deployDir = join(dir, jurisdiction ?? 'anywhere')
  mkdirSync(deployDir, { recursive: true })
  writeConfigs(
    deployDir,
    deployConfigs(ROOT, { accountId: 'a'.repeat(32), kvId: 'k'.repeat(32), jurisdiction }),
  )
  await wranglerOf(ROOT, process.env).digest(configPath(deployDir, part), join(deployDir, part))
  return join(deployDir, part)
}

async function answers(out: string, entry: string, more: readonly string[]): Promise<number> {
  const port = await freePort()
  const bundle = { mainFile: join(out, entry), more }
  const main = { mainFile: front, bindings: ['(name = "BUNDLE", service = "bundle")'] }
  const served = await serve(writeConfig(join(out, 'test.capnp'), port, main, { bundle }), port, '/')
  try {
    return (await fetch(`http://127.0.0.1:${served.port}/`)).status
  } finally {
    await served.close()
  }
}

describe('what is uploaded starts under raw workerd', () => {
  const classes = OBJECTS.map((name) => `(className = "${name}", uniqueKey = "${name}", enableSql = true)`)
  const storage = [
    `durableObjectNamespaces = [${classes.join(', ')}]`,
    'durableObjectStorage = (inMemory = void)',
  ]
  for (const jurisdiction of [undefined, 'eu'] as const)
    for (const [part, entry, more] of [
      ['state', jurisdiction ? 'state.js' : 'index.js', storage],
      ['recorder', jurisdiction ? 'recorder.js' : 'index.js', []],
      ['scheduler', 'index.js', []],
      ['gateway', jurisdiction ? 'gateway.js' : 'index.js', []],
    ] as const) {
      if (jurisdiction && part === 'scheduler') continue
      it(`${part}, ${jurisdiction ?? 'anywhere'}`, async () => {
        expect(await answers(await bundled(part, jurisdiction), entry, more)).toBe(200)
      })
    }

  it('and one that throws as it loads does not', async () => {
    const broken = join(dir, 'broken')
    mkdirSync(broken)
    writeFileSync(join(broken, 'index.js'), 'throw new Error("at start")')
    await expect(answers(broken, 'index.js', [])).rejects.toThrow('did not answer')
  })
})
