import { appendFileSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DEFAULT_MAX_CACHE_ENTRIES, JOBS } from '../../workers/scheduler/jobs.ts'
import { runDue } from '../../workers/scheduler/run.ts'
import { supabaseConnector } from '../../workers/supabase.ts'
import { startSimulatedProvider } from '../simulated-provider.ts'
import { startCron } from './cron.ts'
import { databaseKeys, type KeyName, signerOf } from './database-keys.ts'
import { startMemoryRedis } from './memory-redis.ts'
import { redisServerPresent, startRedisServer } from './redis-server.ts'
import { loadSecrets, type Secrets } from './secrets.ts'
import { startSupabase } from './supabase.ts'
import { systemClock } from './system-clock.ts'
import { startUpstash } from './upstash.ts'
import { type RunningWorkers, startWorkers } from './workers.ts'

export interface LaptopOptions {
  readonly root: string
  readonly stateDir: string
  readonly port: number
  /** From `.dev.vars`; they win over what is made here. */
  readonly devVars: Readonly<Record<string, string>>
  /** Called when a part ends unasked, with its name. */
  readonly onDeath: (part: string) => void
}

export interface Laptop {
  readonly secrets: Secrets
  readonly workers: RunningWorkers
  readonly supabaseUrl: string
  /** What runs, a line each, for people. */
  readonly parts: readonly string[]
  close(): Promise<void>
}

const REAL_PROVIDERS = ['OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GEMINI_API_KEY', 'OLLAMA_BASE_URL']

const UPKEEP_TIMEOUT_MS = 65_000

/** Made anew at each start. */
const KEY_DAYS = 365

const OLLAMA = '127.0.0.1:11434'

/** What models may be added at beside public https: where Ollama lies by itself, and what is configured here. */
function loopbackPlaces(urls: readonly (string | undefined)[]): string {
  const hosts = urls.flatMap((url) => (url && URL.canParse(url) ? [new URL(url)] : []))
  const local = hosts.filter(({ hostname }) => ['127.0.0.1', 'localhost', '[::1]'].includes(hostname))
  return [...new Set([OLLAMA, ...local.filter(({ port }) => port !== '').map(({ host }) => host)])].join(',')
}

/** Each worker under a role of its own; at another Supabase, of which nothing can be signed here, under its secret key. */
function workerKeys(secrets: Secrets, devVars: LaptopOptions['devVars']): Partial<Record<KeyName, string>> {
  if (devVars.SUPABASE_URL === undefined)
    return databaseKeys(secrets.SUPABASE_PUBLISHABLE_KEY, signerOf(secrets.JWT_SECRET), {
      nowMs: Date.now(),
      days: KEY_DAYS,
    })
  const key = devVars.SUPABASE_SECRET_KEY
  return key === undefined ? {} : { SUPABASE_RECORDER_KEY: key, SUPABASE_KEEPER_KEY: key }
}

/** The scheduler's jobs, from this process. */
function startUpkeep(logFile: string, url: string, key: string): { close(): Promise<void> } {
  rmSync(logFile, { force: true })
  const io = {
    connect: supabaseConnector({ url, key, keyName: 'SUPABASE_KEEPER_KEY', timeoutMs: UPKEEP_TIMEOUT_MS }),
    now: Date.now,
    maxCacheEntries: DEFAULT_MAX_CACHE_ENTRIES,
    gateway: undefined,
    log: (_: string, line: string) => appendFileSync(logFile, `${line}\n`),
  }
  return startCron({ clock: systemClock, crons: Object.keys(JOBS), run: (cron) => runDue(cron, io) })
}

/** Starts every part on loopback, the stores side by side. When one cannot start, the others are ended. */
export async function startLaptop({
  root,
  stateDir,
  port,
  devVars,
  onDeath,
}: LaptopOptions): Promise<Laptop> {
  mkdirSync(stateDir, { recursive: true })
  const secrets = loadSecrets(join(stateDir, 'secrets.json'), devVars)
  const ending: (() => Promise<void>)[] = []
  const close = async () => {
    // In the opposite order: nothing is asked of a store that has gone.
    for (const end of ending.splice(0).reverse()) await end()
  }
  const own = <T extends { close(): Promise<void> }>(part: T): T => {
    ending.push(() => part.close())
    return part
  }
  const startRedis = async () => {
    const store = own(
      redisServerPresent()
        ? await startRedisServer(join(stateDir, 'redis'), () => onDeath('redis-server'))
        : startMemoryRedis(),
    )
    const upstash = own(await startUpstash({ port: 0, token: secrets.UPSTASH_REDIS_REST_TOKEN, store }))
    return { upstash, store }
  }
  const startPostgres = async () =>
    own(
      await startSupabase({
        dataDir: join(stateDir, 'postgres'),
        storageDir: join(stateDir, 'storage'),
        migrationsDir: join(root, 'supabase/migrations'),
        port: 0,
        secretKey: secrets.SUPABASE_SECRET_KEY,
        publishableKey: secrets.SUPABASE_PUBLISHABLE_KEY,
        jwtSecret: secrets.JWT_SECRET,
      }),
    )
  const real = REAL_PROVIDERS.filter((name) => devVars[name])
  const startProvider = async () => (real.length > 0 ? undefined : own(await startSimulatedProvider()))
  try {
    const started = await Promise.allSettled([startRedis(), startPostgres(), startProvider()])
    for (const result of started) if (result.status === 'rejected') throw result.reason
    const [redis, supabase, provider] = started.map(
      (result) => (result as PromiseFulfilledResult<unknown>).value,
    ) as [
      Awaited<ReturnType<typeof startRedis>>,
      Awaited<ReturnType<typeof startPostgres>>,
      Awaited<ReturnType<typeof startProvider>>,
    ]
    const vars = {
      SUPABASE_URL: supabase.url,
      SUPABASE_SECRET_KEY: secrets.SUPABASE_SECRET_KEY,
      ...workerKeys(secrets, devVars),
      UPSTASH_REDIS_REST_URL: redis.upstash.url,
      UPSTASH_REDIS_REST_TOKEN: secrets.UPSTASH_REDIS_REST_TOKEN,
      ...(provider && { SIMULATED_PROVIDER_URL: provider.url }),
      KEK_1: secrets.KEK_1,
      UPSTREAM_LOOPBACK: loopbackPlaces([provider?.url, devVars.OLLAMA_BASE_URL]),
      ...devVars,
      ROOT_KEY: secrets.ROOT_KEY,
      KEY_PEPPER: secrets.KEY_PEPPER,
      OPERATOR_TOKEN: secrets.OPERATOR_TOKEN,
      METRICS_TOKEN: secrets.METRICS_TOKEN,
      VIEWER_TOKEN: secrets.VIEWER_TOKEN,
    }
    const workers = own(startWorkers({ root, stateDir, port, vars, onExit: () => onDeath('workers') }))
    if (vars.SUPABASE_KEEPER_KEY)
      own(startUpkeep(join(stateDir, 'upkeep.log'), vars.SUPABASE_URL, vars.SUPABASE_KEEPER_KEY))
    const parts = [
      `Provider  ${provider ? 'simulated: no real model answers (put a key into .dev.vars for a real one)' : `real, by ${real.join(', ')}`}`,
      `Redis     ${redis.store.description}`,
      'Supabase  embedded Postgres (PGlite), storage in .beast/storage',
    ]
    return { secrets, workers, supabaseUrl: vars.SUPABASE_URL, parts, close }
  } catch (error) {
    await close()
    throw error
  }
}
