import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { freePort } from '../../scripts/bench/workerd.ts'
import { AdminClient } from '../../scripts/stack/admin-client.ts'
import type { EmbeddedSupabase } from '../../scripts/stack/supabase.ts'
import { type RunningWorkers, startWorkers } from '../../scripts/stack/workers.ts'
import { uuidv7 } from '../../src/core/ids.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { OPERATOR_TOKEN, ROOT, startTestSupabase, workerKeys } from '../support/stores.ts'
import { kek } from '../support/workers.ts'

// The objects on disk, as on a laptop: what was acknowledged outlives the processes.

const stateDir = mkdtempSync(join(tmpdir(), 'beast-feedback-'))
let supabase: EmbeddedSupabase
let proxy: FaultProxy
let workers: RunningWorkers | undefined

async function start(): Promise<RunningWorkers> {
  const running = startWorkers({
    root: ROOT,
    stateDir,
    port: await freePort(),
    vars: {
      SUPABASE_URL: proxy.url,
      SUPABASE_SECRET_KEY: supabase.secretKey,
      ...workerKeys(supabase.publishableKey),
      ROOT_KEY: 'r'.repeat(42).concat('o'),
      KEY_PEPPER: 'k'.repeat(43),
      KEK_1: kek(1),
      OPERATOR_TOKEN,
    },
    onExit: () => {},
  })
  workers = running
  const alive = () =>
    fetch(`${running.url}/healthz`).then(
      ({ status }) => status,
      () => 0,
    )
  await expect.poll(alive, { timeout: 60_000, interval: 200 }).toBe(200)
  return running
}

/** Ends every workerd that this process has started, at once. */
function killWorkerd(): number {
  const rows = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,comm='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
  const isOurs = (pid: string): boolean => {
    if (pid === String(process.pid)) return true
    const parent = rows.find(([each]) => each === pid)?.[1]
    return parent !== undefined && parent !== '0' && isOurs(parent)
  }
  const doomed = rows.filter(([pid = '', , name = '']) => name.startsWith('workerd') && isOurs(pid))
  for (const [pid] of doomed) process.kill(Number(pid), 'SIGKILL')
  return doomed.length
}

beforeAll(async () => {
  supabase = await startTestSupabase()
  proxy = await startFaultProxy(supabase.url)
})
afterAll(async () => {
  await workers?.close()
  await proxy?.close()
  await supabase?.close()
  rmSync(stateDir, { recursive: true, force: true })
})

it('is stored once each, with Supabase away and the workers killed right after the 202', async () => {
  const before = await start()
  const { key } = await new AdminClient(before.url, OPERATOR_TOKEN).create('acme')
  const rate = async (url: string, prediction_id: string) => {
    const { status } = await fetch(`${url}/api/feedback`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify({ prediction_id, source: 'user', thumbs: 'up' }),
    })
    return status
  }
  const ids = Array.from({ length: 12 }, () => uuidv7(Date.now()))
  const rows = () =>
    supabase.sql<{ prediction_id: string }>('select prediction_id from quality_feedback_history')
  const list = await fetch(`${before.url}/api/feedback`, { headers: { authorization: `Bearer ${key}` } })
  expect(await list.json()).toEqual({ data: [], next_cursor: null })
  proxy.set({ kind: 'reset' })
  // All within the second for which the outbox gathers: the queue's local stand-in keeps nothing over a kill.
  const answers = await Promise.all(ids.slice(0, -1).map((id) => rate(before.url, id)))
  expect(killWorkerd()).toBeGreaterThanOrEqual(1)
  expect(new Set(answers)).toEqual(new Set([202]))
  await before.close()
  expect(await rows()).toEqual([])

  proxy.set({ kind: 'none' })
  const after = await start()
  // Asking it anything wakes the tenant's object.
  expect(await rate(after.url, ids.at(-1) ?? '')).toBe(202)
  await expect.poll(rows, { timeout: 40_000, interval: 500 }).toHaveLength(ids.length)
  expect((await rows()).map((row) => row.prediction_id).sort()).toEqual([...ids].sort())
  const revised = await supabase.sql('select 1 from quality_feedback where revisions <> 1')
  expect(revised).toEqual([])
}, 180_000)
