-- A request that waits for another one's answer is a miss that matched exactly: it costs nothing, and what it saves is
-- not the work of routing.

create or replace view public.cost_by_hour with (security_invoker = true) as
  select tenant_id, starts_at, mode, model, provider, sum(requests) as requests,
    sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens,
    sum(estimated) as requests_estimated, sum(cost_usd) as cost_usd,
    coalesce(sum(saved_usd) filter (where cache = 'hit' or cache_match <> 'none'), 0) as saved_by_cache_usd,
    coalesce(sum(saved_usd) filter (where cache <> 'hit' and cache_match = 'none'), 0) as saved_by_routing_usd
  from public.roll_up_hours
  group by tenant_id, starts_at, mode, model, provider;
