import { randomBytes } from 'node:crypto'
import { parentPort, workerData } from 'node:worker_threads'
import { createVirtualKey, KeyDigest, keyHint } from '../../src/tenants/virtual-key.ts'
import { startSupabase } from '../stack/supabase.ts'
import type { DatabaseReady, DatabaseTask } from './database.ts'
import { KEYS, keyBytes, TENANTS } from './workload.ts'

process.env.DO_NOT_TRACK = '1'
const { migrationsDir, secretKey, pepper } = workerData as DatabaseTask

const supabase = await startSupabase({
  dataDir: 'memory://',
  migrationsDir,
  port: 0,
  secretKey,
  publishableKey: `sb_publishable_${randomBytes(24).toString('base64url')}`,
  jwtSecret: randomBytes(32).toString('base64url'),
})
await supabase.sql(await loadKeys(new KeyDigest(pepper)))
parentPort?.postMessage({ url: supabase.url } satisfies DatabaseReady)

/** SQL for the very keys that the load sends. Names, digests and hints need no escaping by their form. */
async function loadKeys(digest: KeyDigest): Promise<string> {
  const name = (index: number) => `tenant-${index % TENANTS}`
  const tenants = Array.from({ length: TENANTS }, (_, index) => `('${name(index)}', 'paid')`)
  const keys = await Promise.all(
    Array.from({ length: KEYS }, async (_, index) => {
      const key = createVirtualKey(keyBytes(index))
      return `('${name(index)}', '${await digest.of(key)}', '${keyHint(key)}')`
    }),
  )
  return `with made as (insert into tenants (name, plan) values ${tenants.join(', ')} returning id, name)
    insert into virtual_keys (tenant_id, digest, hint)
    select made.id, given.digest, given.hint
    from (values ${keys.join(', ')}) as given (tenant, digest, hint) join made on made.name = given.tenant`
}
