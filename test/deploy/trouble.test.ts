import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { deploy } from '../../scripts/deploy/deploy.ts'
import type { DeployOptions } from '../../scripts/deploy/site.ts'
import { askFor, readVars } from '../../scripts/deploy/vars.ts'
import { WORKER_ROLES } from '../../scripts/stack/database-keys.ts'
import { ACCOUNT, type Cloud, startCloud } from './cloud-double.ts'
import { expectIntact } from './intact.ts'
import { MIGRATIONS, optionsFor, type TestRoot, testRoot } from './site.ts'

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

const run = (home: string, more: Partial<DeployOptions> = {}) => {
  const options = optionsFor(cloud, root.dir, home)
  return deploy({ ...options, ...more, vars: { ...options.vars, ...more.vars } })
}
/** The first line of what whoever deploys is told. */
const trouble = async (more: Partial<DeployOptions> = {}, home = root.fresh()) => {
  const error = await run(home, more).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(Error)
  return (error as Error).message.split('\n')[0]
}

describe('what is wrong beforehand is said in one line, and nothing is made', () => {
  const cases: readonly (readonly [
    string,
    Partial<DeployOptions> | (() => Partial<DeployOptions>),
    RegExp,
  ])[] = [
    [
      'a wrong Cloudflare token',
      { vars: { CLOUDFLARE_API_TOKEN: 'no' } },
      /^Cloudflare refuses the token: Authentication error.*set CLOUDFLARE_API_TOKEN\.$/,
    ],
    [
      'a wrong Supabase token',
      { vars: { SUPABASE_ACCESS_TOKEN: 'no' } },
      /^Supabase refuses the token: Unauthorized.*set SUPABASE_ACCESS_TOKEN\.$/,
    ],
    [
      'no Supabase token',
      { vars: { SUPABASE_ACCESS_TOKEN: undefined } },
      /^SUPABASE_ACCESS_TOKEN is not set\./,
    ],
    [
      'an address that is no project',
      { vars: { SUPABASE_URL: 'https://example.com' } },
      /^SUPABASE_URL is to be/,
    ],
    [
      'an unknown project',
      { vars: { SUPABASE_URL: `https://${'z'.repeat(20)}.supabase.co` } },
      /^Supabase knows no project z+ of yours\./,
    ],
    ['a weak ROOT_KEY', { vars: { ROOT_KEY: 'short' } }, /^ROOT_KEY is shorter than 32 characters\./],
    [
      'an account that the token does not open',
      { vars: { CLOUDFLARE_ACCOUNT_ID: 'b'.repeat(32) } },
      /^The token does not open the account b+, but: a+ \(A team\)\./,
    ],
    [
      'two accounts',
      () => {
        cloud.accounts.push({ id: 'c', name: 'Another' })
        return {}
      },
      /^The token does not settle which account is meant:.*Set CLOUDFLARE_ACCOUNT_ID/,
    ],
    [
      'a project that sleeps',
      () => {
        cloud.status = 'INACTIVE'
        return {}
      },
      /is INACTIVE\. Wake it in the dashboard/,
    ],
    [
      'no workers.dev subdomain',
      () => {
        cloud.subdomain = undefined
        return { url: undefined }
      },
      /^The account has no workers\.dev subdomain yet\./,
    ],
    [
      'a project outside the EU',
      () => {
        cloud.region = 'us-east-1'
        return { jurisdiction: 'eu' }
      },
      /^Data is to stay in the EU, but the Supabase project lies in us-east-1\./,
    ],
    [
      'a queue outside the EU',
      () => {
        cloud.queues.push({ queue_id: 'q', queue_name: 'beast-telemetry', consumers: [] })
        return { jurisdiction: 'eu' }
      },
      /^The queue beast-telemetry of this account: there already, outside the jurisdiction eu/,
    ],
  ]
  for (const [name, more, line] of cases)
    it(name, async () => {
      expect(await trouble(typeof more === 'function' ? more() : more)).toMatch(line)
      expect(cloud.changes).toEqual([])
    })

  it('a management API that does not answer', async () => {
    expect(await trouble({ vars: { SUPABASE_API_BASE_URL: 'http://127.0.0.1:9' } })).toMatch(
      /^Supabase does not answer at/,
    )
  })
})

describe('what is there already', () => {
  it('is used: a namespace and a queue', async () => {
    cloud.spaces.push({ id: 'kv-of-before', title: 'beast-cache' })
    cloud.queues.push({ queue_id: 'q', queue_name: 'beast-telemetry', consumers: [] })
    const home = root.fresh()
    await run(home)
    await expectIntact(cloud, home)
    expect(readFileSync(join(home, 'deploy/gateway.json'), 'utf8')).toContain('"id": "kv-of-before"')
  })

  it('is brought up to date: a schema of an older version, in the book of the Supabase CLI', async () => {
    const [[file, sql] = ['', '']] = Object.entries(MIGRATIONS)
    for (const statement of sql.split(/;\s*/).filter(Boolean)) await cloud.sql(statement)
    await cloud.sql('create schema supabase_migrations')
    await cloud.sql('create table supabase_migrations.schema_migrations (version text primary key)')
    await cloud.sql(`insert into supabase_migrations.schema_migrations values ('${file.slice(0, 14)}')`)
    await run(root.fresh())
    expect(cloud.changes.filter((change) => change.startsWith('sql'))).toEqual([
      'sql book',
      'sql 20260101000002',
    ])
    expect(await cloud.sql('select count(*)::int as rows from public.runs')).toEqual([{ rows: 2 }])
  })

  it('stops it: a schema that was made otherwise, which stays as it was', async () => {
    await cloud.sql('create table public.virtual_keys (id int)')
    expect(await trouble()).toMatch(
      /^Migration 20260101000001_keys was not applied, and left no trace:.*already exists/,
    )
    expect(await cloud.sql('select * from supabase_migrations.schema_migrations')).toEqual([])
    expect(await cloud.sql(`select to_regclass('public.runs') as runs`)).toEqual([{ runs: null }])
    expect(cloud.scripts.size).toBe(0)
  })

  it('stops it: a schema of a newer version', async () => {
    await cloud.sql('create schema supabase_migrations')
    await cloud.sql('create table supabase_migrations.schema_migrations (version text primary key)')
    await cloud.sql(`insert into supabase_migrations.schema_migrations values ('20270101000000')`)
    expect(await trouble()).toMatch(
      /^The database has had migration 20270101000000, which this checkout does not know\./,
    )
  })
})

describe('secrets', () => {
  it('that cannot be made are asked for by name', async () => {
    cloud.secretKey = undefined
    expect(await trouble()).toMatch(/^The Supabase project has no secret key\./)
  })

  it('are never made anew for a gateway that has them, nor is one that was given taken over', async () => {
    const home = root.fresh()
    await run(home)
    const before = new Map(cloud.scripts.get('beast-gateway')?.secrets)
    rmSync(join(home, 'secrets'), { recursive: true })
    const vars = {
      OPERATOR_TOKEN: before.get('OPERATOR_TOKEN'),
      ROOT_KEY: 'r'.repeat(43),
      OPENAI_API_KEY: 'sk-other',
    }
    cloud.spaces.length = 0
    await run(home, { vars })
    expect(cloud.scripts.get('beast-gateway')?.uploads).toHaveLength(2)
    expect(cloud.scripts.get('beast-gateway')?.secrets).toEqual(before)
  })

  it('that are kept here already, or were given, are used, and only the rest is made', async () => {
    const home = root.fresh()
    const file = join(home, 'secrets', `deploy-${ACCOUNT}.json`)
    mkdirSync(join(home, 'secrets'))
    writeFileSync(file, JSON.stringify({ ROOT_KEY: 'r'.repeat(43) }))
    await run(home, { vars: { KEY_PEPPER: 'p'.repeat(43) } })
    const kept = JSON.parse(readFileSync(file, 'utf8'))
    expect(Object.keys(kept).sort()).toEqual(['KEK_1', 'METRICS_TOKEN', 'OPERATOR_TOKEN', 'ROOT_KEY'])
    const secrets = Object.fromEntries(cloud.scripts.get('beast-gateway')?.secrets ?? [])
    expect(secrets).toMatchObject({ ...kept, ROOT_KEY: 'r'.repeat(43), KEY_PEPPER: 'p'.repeat(43) })
  })

  it('take a later KEK for the first', async () => {
    const home = root.fresh()
    await run(home)
    const secrets = cloud.scripts.get('beast-gateway')?.secrets
    secrets?.delete('KEK_1')
    secrets?.set('KEK_2', 'k'.repeat(43))
    await run(root.fresh(), { vars: { OPERATOR_TOKEN: secrets?.get('OPERATOR_TOKEN') } })
    expect(secrets?.has('KEK_1')).toBe(false)
  })

  it('are not made beside rows that were made under others', async () => {
    const home = root.fresh()
    await run(home)
    await cloud.sql('insert into public.virtual_keys values (1)')
    cloud.scripts.clear()
    expect(await trouble()).toMatch(
      /^The database holds keys that were made under another KEY_PEPPER and KEK_1/,
    )
    await run(home)
    await expectIntact(cloud, home)
  })

  it('lie in a file for its owner only, which is not overwritten when it is damaged', async () => {
    const home = root.fresh()
    await run(home)
    const file = join(home, 'secrets', `deploy-${ACCOUNT}.json`)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    writeFileSync(file, '{')
    expect(await trouble({}, home)).toMatch(/is damaged\. Put it back from your copy/)
    expect(readFileSync(file, 'utf8')).toBe('{')
  })

  it('are of roles that may do less, where tokens can be signed', async () => {
    await run(root.fresh(), { vars: { SUPABASE_SIGNING_KEY: 'j'.repeat(43) } })
    const roleOf = (worker: string, name: string) => {
      const [, claims = ''] = (cloud.scripts.get(worker)?.secrets.get(name) ?? '').split('.')
      return JSON.parse(Buffer.from(claims, 'base64url').toString()).role
    }
    expect(roleOf('beast-recorder', 'SUPABASE_RECORDER_KEY')).toBe(WORKER_ROLES.SUPABASE_RECORDER_KEY)
    expect(roleOf('beast-scheduler', 'SUPABASE_KEEPER_KEY')).toBe(WORKER_ROLES.SUPABASE_KEEPER_KEY)
    expect(roleOf('beast-gateway', 'SUPABASE_READER_KEY')).toBe(WORKER_ROLES.SUPABASE_READER_KEY)
  })

  it("say so when the operator's token is not the gateway's", async () => {
    const home = root.fresh()
    await run(home)
    expect(await trouble({ vars: { OPERATOR_TOKEN: 'w'.repeat(43) } }, home)).toMatch(
      /does not take the operator's token/,
    )
  })
})

describe('what is configured', () => {
  it('is asked for once, kept for its owner only, and read again below the environment', async () => {
    const file = join(root.fresh(), 'secrets/deploy.env')
    const asked: string[] = []
    const answers: Record<string, string> = {
      SUPABASE_URL: ' https://p.supabase.co ',
      OPENAI_API_KEY: 'sk-1',
    }
    const vars = await askFor(file, { SUPABASE_ACCESS_TOKEN: 'sbp_1' }, async (question) => {
      const [name = ''] = question.split(' ')
      asked.push(name)
      return answers[name] ?? ''
    })
    const expected = { SUPABASE_URL: 'https://p.supabase.co', OPENAI_API_KEY: 'sk-1' }
    expect(vars).toEqual({ ...expected, SUPABASE_ACCESS_TOKEN: 'sbp_1' })
    expect(asked).not.toContain('SUPABASE_ACCESS_TOKEN')
    expect(asked).toContain('UPSTASH_REDIS_REST_URL')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readVars(file, { OPENAI_API_KEY: 'sk-2', GEMINI_API_KEY: '' })).toEqual({
      ...expected,
      OPENAI_API_KEY: 'sk-2',
    })
  })
})

describe('a jurisdiction', () => {
  it('holds for namespace, queues and Durable Objects, and for later runs', async () => {
    const home = root.fresh()
    await run(home, { jurisdiction: 'eu' })
    await run(home)
    await expectIntact(cloud, home)
    expect([...cloud.spaces, ...cloud.queues].map(({ jurisdiction }) => jurisdiction)).toEqual([
      'eu',
      'eu',
      'eu',
    ])
    for (const part of ['state', 'gateway'])
      expect(JSON.parse(readFileSync(join(home, `deploy/${part}.json`), 'utf8'))).toMatchObject({
        main: join(root.dir, `workers/jurisdiction/${part}.ts`),
        vars: { DURABLE_OBJECT_JURISDICTION: 'eu' },
      })
  })

  it('cannot be taken on later, nor changed', async () => {
    const home = root.fresh()
    await run(home)
    expect(await trouble({ jurisdiction: 'eu' }, home)).toMatch(
      /^Durable Objects of this account: .*outside the jurisdiction eu/,
    )
  })
})
