import { counter, gauge } from './family.ts'
import { ENDED, TABLES } from './values.ts'

const BUILD = { names: 'build' } as const
const POOLS = ['kv', 'redis', 'supabase', 'upstream'] as const

/** The gateway itself, and its telemetry. */
export const SYSTEM = {
  pool_connections: gauge('Calls that wait for the head of an answer, and how many more could.', 'S1', {
    pool: POOLS,
    state: ['in_use', 'idle'],
  }),
  pool_max_connections: gauge(
    'Such calls that the platform allows: six to each request that is open, and at least six.',
    'S1',
    { pool: POOLS },
  ),
  connections_active: gauge(
    'Chat requests that are open, those whose answer streams (sse), and open pages of /monitoring (websocket).',
    'S2',
    { kind: ['http', 'sse', 'websocket'] },
  ),
  build_info: gauge('1, with what runs as labels.', 'S3', { version: BUILD, commit: BUILD }),
  start_time_seconds: gauge('When this began to count, in seconds since the epoch.', 'S4', {}),
  probe_success: gauge('1 when the last probe of the minute succeeded, else 0.', 'S4', {
    target: ['gateway', 'kv', 'redis', 'supabase', 'upstream'],
  }),
  telemetry_dropped_total: counter('Pieces of telemetry that were lost or folded together.', 'coverage', {
    // `cardinality`: counted under `other`; `overflow`: a buffer was full; `undelivered`: nobody took it.
    reason: ['cardinality', 'overflow', 'undelivered', 'invalid'],
  }),
  telemetry_lag_seconds: gauge('Age of the oldest count that is not yet shown.', 'live: below 1 s', {}),
  feedback_writes_total: counter(
    'Records written behind answers; error: buried among the dead letters.',
    'feedback loss',
    {
      table: TABLES,
      outcome: ENDED,
    },
  ),
  write_queue_depth: gauge(
    'Records that wait in isolates of the gateway, and those that the recorder had to put back in the last minute.',
    'feedback loss',
    { table: TABLES },
  ),
} as const
