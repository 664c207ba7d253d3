import { supabaseConnector } from '../supabase.ts'
import { DEFAULT_MAX_CACHE_ENTRIES, type GatewayUpkeep } from './jobs.ts'
import { runDue } from './run.ts'

interface Env {
  /** The gateway's entrypoint `Upkeep`. */
  readonly GATEWAY: GatewayUpkeep
  readonly SUPABASE_URL?: string
  /** The key of the role beast_keeper, or the project's secret key: docs/database.md. */
  readonly SUPABASE_KEEPER_KEY?: string
  /** The most answers that one tenant keeps in Postgres. */
  readonly CACHE_MAX_ENTRIES_PER_TENANT?: string
}

/** As long as the role's own statement_timeout, and a little for the way. */
const STORE_TIMEOUT_MS = 65_000

export default {
  /** Keeps the database in order, and has the gateway looked after; see `JOBS`. */
  async scheduled({ cron }, env) {
    const { SUPABASE_URL: url, SUPABASE_KEEPER_KEY: key } = env
    if (!url || !key)
      throw new Error(
        'The scheduler is not configured: set its secrets SUPABASE_URL and SUPABASE_KEEPER_KEY.',
      )
    await runDue(cron, {
      connect: supabaseConnector({ url, key, keyName: 'SUPABASE_KEEPER_KEY', timeoutMs: STORE_TIMEOUT_MS }),
      now: () => Date.now(),
      maxCacheEntries: Number(env.CACHE_MAX_ENTRIES_PER_TENANT) || DEFAULT_MAX_CACHE_ENTRIES,
      gateway: env.GATEWAY,
      log: (level, line) => (level === 'error' ? console.error(line) : console.log(line)),
    })
  },
} satisfies ExportedHandler<Env>
