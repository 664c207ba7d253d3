/**
 * What the product promises to show, written down a second time: panel, title, kind, unit, query. `R(x)` is the speed
 * of x, `I(x)` what came to it in the time shown; names without prefix, selectors without the gateway chosen.
 */
const HIT = 'sum(R(cache_lookups_total{result="hit"}))/sum(R(cache_lookups_total{result!="bypass"}))'

export const PROMISED_PANELS = `
P1|Request rate|timeseries|reqps|sum(R(requests_total))
P2|Average response time|timeseries|s|sum(R(request_duration_seconds_sum))/sum(R(request_duration_seconds_count))
P3|P95 latency|timeseries|s|histogram_quantile(0.95,sum by(le)(R(request_duration_seconds_bucket)))
P4|P99 latency|timeseries|s|histogram_quantile(0.99,sum by(le)(R(request_duration_seconds_bucket)))
P5|Error rate|timeseries|percentunit|sum(R(requests_total{outcome="error"}))/sum(R(requests_total))
P6|Cache hit rate|gauge|percentunit|${HIT}
P7|Requests by mode|piechart|short|sum by(mode)(I(requests_total))
P8|Quality scores|heatmap|percentunit|sum by(le)(R(quality_score_ratio_bucket))
P9|Degraded responses|timeseries|reqps|sum(R(degraded_responses_total))
P10|Active workflows|stat|short|sum(workflows_active)
P11|Success rate|gauge|percentunit|sum(R(requests_total{outcome="success"}))/sum(R(requests_total{outcome!="cancelled"}))
P12|Top tenants|table|short|topk(10,sum by(tenant)(I(tenant_requests_total)))
C1|Hit rate over time|timeseries|percentunit|${HIT}
C2|Operations|timeseries|ops|sum by(op)(R(cache_operations_total))
C3|Cache size|timeseries|short|sum by(tier)(cache_entries)
C4|Cache memory|timeseries|bytes|sum by(tier)(cache_bytes)
C5|Entry age|heatmap|s|sum by(le)(R(cache_entry_age_seconds_bucket))
C6|Hit/miss ratio|stat|short|sum(R(cache_lookups_total{result="hit"}))/sum(R(cache_lookups_total{result="miss"}))
C7|Evictions|timeseries|ops|sum by(tier,reason)(R(cache_evictions_total))
C8|Average entry lifetime|stat|s|sum(R(cache_entry_lifetime_seconds_sum))/sum(R(cache_entry_lifetime_seconds_count))
C9|Per-mode cache stats|table|short|sum by(mode,result)(I(cache_lookups_total))
C10|Invalidations|timeseries|short|sum by(reason)(R(cache_invalidations_total))
K1|Estimated daily cost|timeseries|currencyUSD|sum(rate(cost_usd_total[1h]))*86400
K2|Cost breakdown|piechart|currencyUSD|sum by(type)(I(cost_usd_total))
K3|LLM calls by cached|timeseries|ops|sum by(cached)(R(llm_calls_total))
K4|Saved via cache|stat|currencyUSD|sum(I(cost_saved_usd_total{reason="cache"}))
K5|Tokens|timeseries|short|sum by(type)(R(tokens_total))
K6|Tool executions|timeseries|ops|sum by(tool)(R(tool_executions_total))
K7|RAG retrievals|timeseries|ops|sum by(source)(R(rag_retrievals_total))
K8|Cost per mode|table|currencyUSD|sum by(mode)(I(cost_usd_total))
K9|Most expensive tenants|table|currencyUSD|topk(10,sum by(tenant)(I(tenant_cost_usd_total)))
K10|Cost trend per hour|timeseries|currencyUSD|sum(rate(cost_usd_total[1h]))*3600
K11|Cost savings|gauge|percentunit|sum(I(cost_saved_usd_total))/(sum(I(cost_saved_usd_total))+sum(I(cost_usd_total)))
S1|Build|table|short|build_info
S2|Pool utilisation|bargauge|percentunit|sum by(pool)(pool_connections{state="in_use"})/sum by(pool)(pool_max_connections)
S3|Active connections|timeseries|short|sum by(kind)(connections_active)
S4|Error types|timeseries|ops|sum by(type)(R(request_errors_total))
S5|Quality score trend|timeseries|percentunit|sum(R(quality_score_ratio_sum))/sum(R(quality_score_ratio_count))
S6|Warnings|timeseries|ops|sum by(type)(R(warnings_total))
S7|Tool success rate|gauge|percentunit|sum(R(tool_executions_total{outcome="success"}))/sum(R(tool_executions_total))
S8|RAG success rate|gauge|percentunit|sum(R(rag_retrievals_total{outcome="success"}))/sum(R(rag_retrievals_total))
S9|Agent usage|timeseries|ops|sum by(agent)(R(agent_executions_total))
S10|Uptime|stat|s|time()-max(start_time_seconds)`
  .trim()
  .split('\n')
  .map((line) => {
    const [id = '', title = '', kind = '', unit = '', query = ''] = line.split('|')
    return { id, title, kind, unit, query: query.replaceAll(' ', '') }
  })

/** A panel's query in the short form above. */
export const inShort = (expr: string): string =>
  expr
    .replaceAll('beast_', '')
    .replace(/,?job=~"\$job"/g, '')
    .replaceAll('{}', '')
    .replaceAll(' ', '')
    .replace(/rate\(([^[\]]+)\[\$__rate_interval\]\)/g, 'R($1)')
    .replace(/increase\(([^[\]]+)\[\$__range\]\)/g, 'I($1)')
