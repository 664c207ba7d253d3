import type { FamilyName } from '../metrics/catalogue.ts'
import { selectorsOf } from './promql.ts'
import type { PagePanel } from './tabs.ts'
import { meaningOf } from './timeline.ts'

const SEND = 'Send one to POST /v1/chat/completions and it shows here within a second.'

/** Priced and booked behind the answers, in batches. */
const SPENT =
  'Nothing was spent in this time. Send a request that the cache does not know: its cost shows within ten seconds or so.'

/** What to do where a family has nothing to show, by what its name begins with; the first that fits. */
const NEXT_STEPS: readonly (readonly [prefix: string, text: string])[] = [
  ['requests_', `No request in this time. ${SEND}`],
  ['request_duration', `No request in this time. ${SEND}`],
  ['request_errors', 'No error in this time. There is nothing to do.'],
  ['upstream_', 'No call to a model in this time. Send a request that the cache does not know.'],
  ['tenant_cost', SPENT],
  ['tenant_', `No tenant sent a request in this time. ${SEND}`],
  ['cache_lookups', `Nothing was looked up in the cache in this time. ${SEND}`],
  ['cache_entry_age', 'No hit in this time. Send the same request twice.'],
  ['cache_entry_lifetime', 'No entry was removed in this time. There is nothing to do.'],
  ['cache_evictions', 'No entry was given up in this time. There is nothing to do.'],
  ['cache_invalidations', 'No entry was removed before its time. There is nothing to do.'],
  ['cache_', 'No tier of the cache has reported yet. Send a request that may be cached.'],
  [
    'quality_',
    'No answer of a model was checked and none was rated in this time. Send a request that the cache does not know, or rate one.',
  ],
  ['degraded_', 'No answer was less than what was asked for. There is nothing to do.'],
  ['warnings_', 'No answer came with a warning in this time. There is nothing to do.'],
  ['workflows_', 'No workflow has reported. Report yours through the telemetry API.'],
  ['tool_', 'No tool has reported in this time. Report runs of tools through the telemetry API.'],
  ['rag_', 'No look-up has reported in this time. Report retrievals through the telemetry API.'],
  ['agent_', 'No agent has reported in this time. Report runs of agents through the telemetry API.'],
  ['cost_saved', 'No hit has saved anything in this time. Send the same request twice.'],
  ['cost_', SPENT],
  ['llm_', `No model was asked in this time. ${SEND}`],
  ['tokens_', `No tokens were billed in this time. ${SEND}`],
  ['fallbacks_', 'Every request was answered by the first model it was sent to. There is nothing to do.'],
]

const UNKNOWN = `No isolate has reported this yet. ${SEND}`

const familyOf = ({ query }: PagePanel): FamilyName | undefined => {
  const [first] = selectorsOf(query)
  return first && meaningOf(first.name)?.family
}

/** What stands in a panel that has nothing to show. */
export function emptyText(panel: PagePanel): string {
  // Only a tenant's own models are in it.
  if (panel.code.startsWith('M') && panel.expr.includes('provider="custom"'))
    return 'No custom model was asked in this time. Add one with npm run models -- add, then ask for custom:ID.'
  const family = familyOf(panel)
  return NEXT_STEPS.find(([prefix]) => family?.startsWith(prefix))?.[1] ?? UNKNOWN
}
