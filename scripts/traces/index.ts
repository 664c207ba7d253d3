import { burst, drift, season, zipf } from './kinds.ts'
import { realistic } from './realistic.ts'
import { steady } from './steady.ts'
import type { Trace } from './trace.ts'

/** Every trace that can be asked for by name. The same seed makes the same trace. */
export const TRACES = { steady, zipf, season, drift, burst, realistic } as const satisfies Record<
  string,
  (seed: number) => Trace
>
