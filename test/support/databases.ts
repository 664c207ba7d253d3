import { describe } from 'vitest'
import { postgrestPresent, startPostgrest } from './postgrest.ts'
import { describeWith } from './require.ts'
import { startTestSupabase, type TestDatabase } from './stores.ts'

/** Runs a suite on the embedded Supabase and, where they are installed, on genuine PostgREST and PostgreSQL. */
export function onEachDatabase(suite: (start: () => Promise<TestDatabase>, genuine: boolean) => void): void {
  describe('over the embedded Supabase', () => suite(startTestSupabase, false))
  describeWith('postgrest and a PostgreSQL server', postgrestPresent, 'over genuine PostgREST', () =>
    suite(() => startPostgrest(), true),
  )
}
