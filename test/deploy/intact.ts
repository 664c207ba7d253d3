import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { ACCOUNT, type Cloud } from './cloud-double.ts'

/** All that a deployment is to bring about is there, and each of it once. */
export async function expectIntact(cloud: Cloud, home: string): Promise<void> {
  expect(cloud.spaces.map(({ title }) => title)).toEqual(['beast-cache'])
  expect(cloud.queues.map(({ queue_name, consumers }) => [queue_name, consumers.length]).sort()).toEqual([
    ['beast-telemetry', 1],
    ['beast-telemetry-dead', 1],
  ])
  const uploads = [...cloud.scripts].map(([name, { uploads }]) => [name, uploads.length])
  expect(uploads.sort()).toEqual([
    ['beast-gateway', 1],
    ['beast-recorder', 1],
    ['beast-scheduler', 1],
    ['beast-state', 1],
  ])
  expect(cloud.changes).toContain('schedules beast-scheduler')
  expect(cloud.changes).toContain('subdomain beast-gateway')
  const kept = JSON.parse(readFileSync(join(home, 'secrets', `deploy-${ACCOUNT}.json`), 'utf8'))
  expect(Object.fromEntries(cloud.scripts.get('beast-gateway')?.secrets ?? [])).toMatchObject({
    ...kept,
    SUPABASE_SECRET_KEY: cloud.secretKey,
    OPENAI_API_KEY: 'sk-test',
  })
  expect([...(cloud.scripts.get('beast-recorder')?.secrets.keys() ?? [])].sort()).toEqual([
    'SUPABASE_RECORDER_KEY',
    'SUPABASE_URL',
  ])
  expect(await cloud.sql('select name from public.runs order by name')).toEqual([
    { name: "it's the first" },
    { name: 'second' },
  ])
  expect(
    await cloud.sql('select version, name from supabase_migrations.schema_migrations order by 1'),
  ).toEqual([
    { version: '20260101000001', name: 'keys' },
    { version: '20260101000002', name: 'more' },
  ])
  expect(readdirSync(join(home, 'deploy')).filter((name) => name.includes('secrets'))).toEqual([])
  expect(cloud.keys.filter(({ revoked_at }) => revoked_at === null)).toEqual([])
}
