/** What is charged for: the units of Cloudflare's and Upstash's bills. */
export type Operation =
  | 'worker request'
  | 'CPU millisecond'
  | 'KV read'
  | 'KV write'
  | 'object request'
  | 'row read'
  | 'row written'
  | 'queue operation'
  | 'Redis command'

/** List prices in US dollars for a million, November 2026, beyond what a plan includes: docs/deploy.md. */
export const USD_A_MILLION: Readonly<Record<Operation, number>> = {
  'worker request': 0.3,
  'CPU millisecond': 0.02,
  'KV read': 0.5,
  'KV write': 5,
  'object request': 0.15,
  'row read': 0.001,
  'row written': 1,
  'queue operation': 0.4,
  'Redis command': 2,
}

/** Told of something that is charged for. */
export type Note = (operation: Operation, count?: number) => void

/** How often each was done. */
export type Counts = Readonly<Partial<Record<Operation, number>>>

/** @returns US dollars */
export const costOf = (counts: Counts): number =>
  Object.entries(counts).reduce(
    (total, [operation, count]) => total + (count * USD_A_MILLION[operation as Operation]) / 1e6,
    0,
  )
