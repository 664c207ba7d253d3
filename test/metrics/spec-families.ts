/** What the product promises to count, written down a second time: name, kind with buckets, labels. */
export const PROMISED = `
requests_total c mode provider model outcome cache stream
request_duration_seconds hA mode cache
gateway_overhead_seconds hA cache
upstream_duration_seconds hA provider model
time_to_first_token_seconds hA provider cache
request_errors_total c type provider
workflows_active g mode
cache_lookups_total c mode result match tier
cache_operations_total c tier op result
cache_operation_duration_seconds hA tier op
cache_entries g tier
cache_capacity_entries g tier
cache_bytes g tier
cache_entry_age_seconds hG tier
cache_entry_lifetime_seconds hG tier
cache_evictions_total c tier reason
cache_invalidations_total c tier reason
quality_score_ratio hQ mode
degraded_responses_total c mode
degradations_total c reason
warnings_total c type
cost_usd_total c type mode provider model
llm_calls_total c provider model cached
tokens_total c type provider model
tool_executions_total c tool outcome
rag_retrievals_total c source outcome
cost_saved_usd_total c mode reason
tenant_requests_total c tenant
tenant_cost_usd_total c tenant
agent_executions_total c agent outcome
pool_connections g pool state
pool_max_connections g pool
connections_active g kind
build_info g version commit
start_time_seconds g
probe_success g target
requests_received_total c
telemetry_dropped_total c reason
telemetry_lag_seconds g
upstream_retries_total c provider reason
fallbacks_total c from to
feedback_writes_total c table outcome
write_queue_depth g table`
  .trim()
  .split('\n')
  .map((line) => {
    const [name = '', kind = '', ...labels] = line.split(' ')
    return { name, kind, labels }
  })

const A = '.001 .0025 .005 .01 .025 .05 .1 .25 .5 1 2.5 5 10 20 30 60 120'
const G = '60 300 900 1800 3600 7200 21600 43200 86400'
const Q = '.1 .2 .3 .4 .5 .6 .7 .75 .8 .85 .9 .95 1'
const numbers = (text: string): readonly number[] => text.split(' ').map(Number)

export const BUCKETS: Readonly<Record<string, readonly number[]>> = {
  hA: numbers(A),
  hG: numbers(G),
  hQ: numbers(Q),
}
