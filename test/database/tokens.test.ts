import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { databaseKeys, signerOf } from '../../scripts/stack/database-keys.ts'
import { supabaseConnector } from '../../workers/supabase.ts'
import { postgrestPresent, startPostgrest } from '../support/postgrest.ts'
import { describeWith } from '../support/require.ts'
import type { TestDatabase } from '../support/stores.ts'

// Keys signed with a private key, as a hosted project with imported signing keys believes them.

describeWith('postgrest and a PostgreSQL server', postgrestPresent, 'tokens by a private key', () => {
  const jwkPair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const [own, foreign] = [jwkPair(), jwkPair()]
  let supabase: TestDatabase
  beforeAll(async () => {
    const jwk = { ...own.publicKey.export({ format: 'jwk' }), kid: 'imported', alg: 'ES256' }
    supabase = await startPostgrest([jwk])
  })
  afterAll(() => supabase?.close())

  const keysOf = (pair: typeof own, days = 1) =>
    databaseKeys(
      supabase.publishableKey,
      signerOf(JSON.stringify({ ...pair.privateKey.export({ format: 'jwk' }), kid: 'imported' })),
      { nowMs: Date.now(), days },
    )
  const client = (key: string) =>
    supabaseConnector({ url: supabase.url, key, keyName: 'KEY', timeoutMs: 5_000 })()

  it('are believed, each for its own role', async () => {
    const { SUPABASE_KEEPER_KEY, SUPABASE_READER_KEY } = keysOf(own)
    expect((await client(SUPABASE_KEEPER_KEY).rpc('match_feedback').throwOnError()).data).toBe(0)
    expect((await client(SUPABASE_READER_KEY).rpc('match_feedback')).error?.code).toBe('42501')
  })

  it('are refused of another key', async () => {
    const { status } = await client(keysOf(foreign).SUPABASE_KEEPER_KEY).rpc('match_feedback')
    expect(status).toBe(401)
  })

  it('bring the time that a statement of the role may take', async () => {
    await supabase.sql(
      `create function public.told_timeout() returns text language sql set search_path = ''
       as $$ select current_setting('statement_timeout') $$`,
    )
    await supabase.sql("notify pgrst, 'reload schema'")
    const { SUPABASE_KEEPER_KEY, SUPABASE_RECORDER_KEY } = keysOf(own)
    const told = async (key: string) => (await client(key).rpc('told_timeout')).data
    await expect.poll(() => told(SUPABASE_KEEPER_KEY)).toBe('1min')
    expect(await told(SUPABASE_RECORDER_KEY)).toBe('0')
  })
})
