import { CACHE_PANELS } from './panels-cache.ts'
import { COST_PANELS } from './panels-cost.ts'
import type { Dashboard } from './panels-parts.ts'
import { PERFORMANCE } from './panels-performance.ts'
import { SYSTEM_PANELS } from './panels-system.ts'

/** What Grafana shows, without a word of Grafana's own format. */
export const DASHBOARDS: readonly Dashboard[] = [
  { code: 'P', title: 'Performance Overview', uid: 'beast-performance', refresh: '30s', panels: PERFORMANCE },
  { code: 'C', title: 'Cache Performance', uid: 'beast-cache', refresh: '30s', panels: CACHE_PANELS },
  { code: 'K', title: 'Cost Optimization', uid: 'beast-cost', refresh: '1m', panels: COST_PANELS },
  { code: 'S', title: 'System Health', uid: 'beast-system', refresh: '10s', panels: SYSTEM_PANELS },
]
