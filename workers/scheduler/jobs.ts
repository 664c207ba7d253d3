import type { SupabaseClient } from '@supabase/supabase-js'
import type { HeldByMinute } from '../../src/metrics/stock.ts'

export interface JobIo {
  /** A client for one call. */
  readonly connect: () => SupabaseClient
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** The most answers that one tenant keeps in Postgres. */
  readonly maxCacheEntries: number
  /** Undefined on a laptop, whose jobs run outside the workers. */
  readonly gateway: GatewayUpkeep | undefined
  readonly log: (level: 'info' | 'error', line: string) => void
}

/** What the gateway does by cron: its own bindings and secrets are nobody else's. */
export interface GatewayUpkeep {
  /** Tries all that requests need. @returns 1 or 0 for each */
  probe(): Promise<Readonly<Record<string, number>>>
  /** Supabase counted what it holds of the cache. */
  cacheCounted(minutes: HeldByMinute): Promise<void>
}

export interface Job {
  readonly name: string
  /** Does it, and says what came of it, for the log and the table `upkeep`. */
  run(io: JobIo): Promise<Readonly<Record<string, number | string>>>
}

export const DEFAULT_MAX_CACHE_ENTRIES = 100_000

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
/** Longer than any transaction of the recorder: what it began in one window shows in the next. */
const OVERLAP_MS = 10 * MINUTE_MS
/** What one call sums up, when there is much to catch up with. */
const STEP_MS = HOUR_MS
const BATCH_ROWS = 5_000
/** No further call is begun after so long: the next run goes on from there. A cron may take 15 minutes. */
const SUMMING_MS = 50_000
const PRUNING_MS = 5 * MINUTE_MS
/** So far may the sums be behind before nothing is let go that they may still need. */
const MAX_LAG_MS = HOUR_MS
const DEAD_LETTER_DAYS = 30

/** Joins ratings and predictions of which neither saw the other come. */
const matchFeedback: Job = {
  name: 'match_feedback',
  run: async ({ connect }) => ({
    matched: Number((await connect().rpc('match_feedback').throwOnError()).data),
  }),
}

/** Counts what was stored since the last time that it went well, however long ago that is. */
const rollUp: Job = {
  name: 'roll_up',
  run: async ({ connect, now }) => {
    const endMs = now()
    const sinceMs = (await summedUpToMs(connect)) ?? (await firstStoredMs(connect)) ?? endMs
    let fromMs = Math.min(sinceMs, endMs) - OVERLAP_MS
    const counted = { minutes: 0, hours: 0, feedback: 0 }
    while (fromMs < endMs && now() - endMs < SUMMING_MS) {
      const toMs = Math.min(fromMs + STEP_MS, endMs)
      // The last window is open: the database's clock may be ahead of ours.
      const stored_to = toMs === endMs ? 'infinity' : iso(toMs)
      const { data } = await connect()
        .rpc('roll_up', { stored_from: iso(fromMs), stored_to })
        .throwOnError()
      for (const name of ['minutes', 'hours', 'feedback'] as const) counted[name] += Number(data?.[0]?.[name])
      fromMs = toMs
    }
    return { ...counted, through: iso(fromMs) }
  },
}

const pruneCache: Job = {
  name: 'prune_llm_cache',
  run: async ({ connect, maxCacheEntries }) => ({
    removed: Number(
      (await connect().rpc('prune_llm_cache', { max_entries: maxCacheEntries }).throwOnError()).data,
    ),
  }),
}

/** What the third cache tier holds, for whoever adds its writes up and does not hear of all that is removed. */
const countCache: Job = {
  name: 'count_llm_cache',
  run: async ({ connect, gateway }) => {
    const { data } = await connect().rpc('count_llm_cache').throwOnError()
    const minutes = data as HeldByMinute
    await gateway?.cacheCounted(minutes)
    return { entries: Object.values(minutes).reduce((sum, { entries }) => sum + entries, 0) }
  },
}

const probe: Job = { name: 'probe', run: async ({ gateway }) => (await gateway?.probe()) ?? {} }

const pruneExpired: Job = {
  name: 'prune_expired',
  run: async ({ connect, now }) => {
    const summedMs = await summedUpToMs(connect)
    if (summedMs === undefined || now() - summedMs > MAX_LAG_MS)
      throw new Error('Nothing is let go while roll_up is behind: it could no longer be counted.')
    return inBatches(now, async () => {
      const { data } = await connect().rpc('prune_expired', { batch_rows: BATCH_ROWS }).throwOnError()
      return data?.[0] as Record<string, number>
    })
  },
}

const pruneDeadLetters: Job = {
  name: 'prune_dead_letters',
  run: ({ connect, now }) =>
    inBatches(now, async () => {
      const args = { keep_days: DEAD_LETTER_DAYS, batch_rows: BATCH_ROWS }
      return { removed: Number((await connect().rpc('prune_dead_letters', args).throwOnError()).data) }
    }),
}

/** What is due, by the cron of `wrangler.toml`, in this order. */
export const JOBS: Readonly<Record<string, readonly Job[]>> = {
  '* * * * *': [matchFeedback, rollUp, probe],
  '*/15 * * * *': [pruneCache],
  '7 * * * *': [pruneExpired, pruneDeadLetters, countCache],
}

/** Up to when roll_up has counted what was stored; undefined = it never ran. */
async function summedUpToMs(connect: JobIo['connect']): Promise<number | undefined> {
  const { data } = await connect()
    .from('upkeep')
    .select('result')
    .eq('job', rollUp.name)
    .maybeSingle<{ result: { readonly through?: string } | null }>()
    .throwOnError()
  const throughMs = Date.parse(data?.result?.through ?? '')
  return Number.isNaN(throughMs) ? undefined : throughMs
}

async function firstStoredMs(connect: JobIo['connect']): Promise<number | undefined> {
  const { data } = await connect()
    .from('ml_predictions')
    .select('stored_at')
    .order('stored_at')
    .limit(1)
    .maybeSingle<{ stored_at: string }>()
    .throwOnError()
  return data ? Date.parse(data.stored_at) : undefined
}

/** Again and again until nothing is left, or time is up: sums what was removed. */
async function inBatches(
  now: () => number,
  batch: () => Promise<Record<string, number>>,
): Promise<Record<string, number>> {
  const removed: Record<string, number> = {}
  const endMs = now() + PRUNING_MS
  while (now() < endMs) {
    const counts = Object.entries(await batch())
    for (const [kind, count] of counts) removed[kind] = (removed[kind] ?? 0) + count
    if (counts.every(([, count]) => count === 0)) break
  }
  return removed
}

const iso = (ms: number): string => new Date(ms).toISOString()
