import { withDeadline } from '../../src/core/clock.ts'
import type { BudgetNews } from '../../src/cost/budget-thresholds.ts'
import { HUB_NAME } from '../../src/metrics/shard-name.ts'
import { workerClock } from '../clock.ts'
import type { MetricsHub } from './metrics-hub.ts'

/** Telemetry waits for the same alarm. */
const ANSWER_MS = 2_000

/** Brings news to the hub; it has stored them once this resolves. */
export const tellHub =
  ({ METRICS_HUB }: { readonly METRICS_HUB: DurableObjectNamespace<MetricsHub> }) =>
  async (news: readonly BudgetNews[]): Promise<void> =>
    withDeadline(workerClock, ANSWER_MS, METRICS_HUB.get(METRICS_HUB.idFromName(HUB_NAME)).budgetNews(news))
