import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { deploy } from '../../scripts/deploy/deploy.ts'
import { rollBack } from '../../scripts/deploy/rollback.ts'
import { accountOf, type DeployOptions } from '../../scripts/deploy/site.ts'
import { wranglerOf } from '../../scripts/deploy/wrangler.ts'
import { ROOT } from '../support/stores.ts'
import { ACCOUNT, type Cloud, startCloud } from './cloud-double.ts'
import { optionsFor, type TestRoot, testRoot } from './site.ts'

// The wrangler that is installed, with the project's own migrations: slow, so it is one story.

let cloud: Cloud
let root: TestRoot
let options: DeployOptions
beforeAll(async () => {
  cloud = await startCloud()
  root = testRoot()
  const home = root.fresh()
  const stood = optionsFor(cloud, ROOT, home)
  const vars = { ...stood.vars, PATH: process.env.PATH, HOME: home }
  options = { ...stood, vars, wrangler: wranglerOf(ROOT, vars) }
})
afterAll(async () => {
  await cloud?.close()
  root?.remove()
})

const tags = () =>
  [...cloud.scripts].map(([name, { uploads, deployed }]) => [
    name,
    uploads.find(({ id }) => id === deployed)?.annotations['workers/tag'],
  ])
const status = () =>
  execFileSync('git', ['status', '--porcelain', '--', '*.toml'], { cwd: ROOT, encoding: 'utf8' })

describe('with wrangler itself', () => {
  it('a deployment that fails between upload and queues goes on, is updated, and goes back', {
    timeout: 400_000,
  }, async () => {
    const committed = status()
    cloud.before = (request) => /^POST .*\/consumers$/.test(request)
    const failure = await deploy(options).catch((error: unknown) => error)
    expect(String(failure)).toMatch(
      /wrangler deploy failed: .*Something went wrong.*\nDone: .*worker beast-state.*\nNot done: worker beast-recorder/,
    )
    cloud.before = undefined
    await deploy(options)
    const first = tags()
    const uploads = [...cloud.scripts.values()].map((script) => script.uploads.length)
    expect(uploads).toEqual([1, 1, 1, 1])
    expect(cloud.queues.map(({ consumers }) => consumers.map(({ script }) => script))).toEqual([
      ['beast-recorder'],
      ['beast-recorder'],
    ])
    expect(new Set(first.map(([, tag]) => tag)).size).toBe(1)
    const gateway = cloud.scripts.get('beast-gateway')
    const kept = JSON.parse(readFileSync(join(options.secretsDir, `deploy-${ACCOUNT}.json`), 'utf8'))
    expect(gateway?.secrets.get('ROOT_KEY')).toBe(kept.ROOT_KEY)
    expect(gateway?.uploads[0]?.bindings).toContainEqual({
      name: 'CACHE',
      type: 'kv_namespace',
      namespace_id: cloud.spaces[0]?.id,
    })

    // Another namespace makes another release.
    cloud.spaces.length = 0
    await deploy(options)
    expect(tags()).not.toEqual(first)
    expect([...cloud.scripts.values()].map((script) => script.uploads.length)).toEqual([2, 2, 2, 2])

    const account = await accountOf(options.vars, options.wrangler)
    const printed: string[] = []
    cloud.before = (request) => /^POST .*beast-recorder\/deployments$/.test(request)
    const rollback = () =>
      rollBack({ cloudflare: account, wrangler: options.wrangler, print: (line) => printed.push(line) })
    await expect(rollback()).rejects.toThrow(
      /Back: beast-scheduler, beast-gateway\. Not back: beast-recorder, beast-state\./,
    )
    cloud.before = undefined
    await rollback()
    expect(tags()).toEqual(first)
    expect(printed.at(-1)).toMatch(/^Migrations are not rolled back/)
    await expect(rollback()).rejects.toThrow('There is no release before this one. Nothing was changed.')
    expect(status()).toBe(committed)
  })
})
