import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { deploy } from '../../scripts/deploy/deploy.ts'
import { OperatorError } from '../../scripts/stack/operator-error.ts'
import { type Cloud, startCloud } from './cloud-double.ts'
import { expectIntact } from './intact.ts'
import { optionsFor, type TestRoot, testRoot } from './site.ts'

let cloud: Cloud
let root: TestRoot
beforeAll(async () => {
  cloud = await startCloud()
  root = testRoot()
})
beforeEach(() => cloud.reset())
afterAll(async () => {
  await cloud?.close()
  root?.remove()
})

const run = (home: string) => deploy(optionsFor(cloud, root.dir, home))

describe('a deployment', () => {
  it('completes, and a second one changes nothing but the key of its check', async () => {
    const home = root.fresh()
    await run(home)
    await expectIntact(cloud, home)
    const before = cloud.changes.length
    await run(home)
    expect(cloud.changes.slice(before)).toEqual(['key', 'revoked'])
    await expectIntact(cloud, home)
  })

  it('completes at the second run wherever a request of the first one failed', {
    timeout: 300_000,
  }, async () => {
    await run(root.fresh())
    const requests = [...cloud.log]
    let failed = 0
    for (const [index, request] of requests.entries()) {
      await cloud.reset()
      const home = root.fresh()
      let count = 0
      cloud.before = () => count++ === index
      const outcome = await run(home).catch((error: unknown) => error)
      cloud.before = undefined
      if (outcome !== undefined) {
        failed++
        expect(outcome, request).toBeInstanceOf(OperatorError)
        expect(String(outcome), request).toMatch(
          /\nDone: .+\.\nNot done: .+\.\nMend it and run npm run deploy again/,
        )
      }
      await run(home)
      await expectIntact(cloud, home)
    }
    // Only what waits for a new address may try again by itself.
    expect(requests.length - failed).toBeLessThanOrEqual(2)
    expect(failed).toBeGreaterThan(40)
  })

  it('completes at the second run when its process is killed after each change', {
    timeout: 600_000,
  }, async () => {
    await run(root.fresh())
    const changes = [...cloud.changes]
    for (const index of changes.keys()) {
      await cloud.reset()
      const home = root.fresh()
      let child: ChildProcess | undefined
      let count = 0
      cloud.after = async () => {
        if (count++ !== index || !child) return
        const ended = once(child, 'exit')
        child.kill('SIGKILL')
        await ended
      }
      child = start(home)
      const [code, signal] = await once(child, 'exit')
      expect([code, signal], changes[index]).toEqual([null, 'SIGKILL'])
      cloud.after = undefined
      await run(home)
      await expectIntact(cloud, home)
    }
    expect(changes.length).toBeGreaterThan(15)
  })
})

function start(home: string): ChildProcess {
  const { cloudflareUrl, supabaseUrl, gatewayUrl } = cloud
  const entry = join(import.meta.dirname, 'deploy-entry.ts')
  expect(existsSync(entry)).toBe(true)
  const addresses = JSON.stringify({ cloudflareUrl, supabaseUrl, gatewayUrl })
  return spawn(process.execPath, [entry, addresses, root.dir, home], { stdio: 'ignore' })
}
