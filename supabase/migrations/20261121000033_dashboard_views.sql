-- What the panels of the dashboards ask, of the totals and rows that lie here: by hour, and by everything that can be
-- chosen above the panels. docs/dashboards-sql.md has the question of each panel. Each view has the rights of whoever
-- asks, so row-level security shows a member only the own tenant. Times in milliseconds, money in US dollars, mode 0 = not
-- known.

-- All tenants of a time; the primary key begins with one tenant.
create index roll_up_hours_starts on public.roll_up_hours (starts_at);
-- The few among very many.
create index ml_predictions_troubled on public.ml_predictions (tenant_id, created_at)
  where error_code is not null or attempts > 1;
create index ledger_attempts_unpriced on public.ledger_attempts (tenant_id, created_at)
  where priced_by = 'unpriced';

create view public.dashboard_requests with (security_invoker = true) as
  select tenant_id, starts_at, mode, model, provider,
    sum(requests)::bigint as requests,
    coalesce(sum(requests) filter (where outcome = 'success'), 0)::bigint as successes,
    coalesce(sum(requests) filter (where outcome = 'client_error'), 0)::bigint as client_errors,
    coalesce(sum(requests) filter (where outcome = 'error'), 0)::bigint as errors,
    coalesce(sum(requests) filter (where outcome = 'cancelled'), 0)::bigint as cancelled,
    coalesce(sum(requests) filter (where cache = 'hit'), 0)::bigint as hits,
    coalesce(sum(requests) filter (where cache = 'miss'), 0)::bigint as misses,
    coalesce(sum(requests) filter (where cache = 'bypass'), 0)::bigint as bypasses
  from public.roll_up_hours
  group by tenant_id, starts_at, mode, model, provider;

-- Quantiles do not add up, buckets do: several rows an hour, for merge_buckets and then bucket_quantile.
create view public.dashboard_latency with (security_invoker = true) as
  select tenant_id, starts_at, mode, model, provider, cache, requests, total_ms, total_buckets, upstream_buckets,
    first_byte_buckets
  from public.roll_up_hours;

create view public.dashboard_costs with (security_invoker = true) as
  select tenant_id, starts_at, mode, model, provider,
    -- Answers that a model was asked for, and those that were there already.
    coalesce(sum(requests) filter (where cache <> 'hit' and model <> 'none'), 0)::bigint as asked,
    coalesce(sum(requests) filter (where cache = 'hit'), 0)::bigint as cached,
    -- Of hits nothing is billed.
    coalesce(sum(input_tokens) filter (where cache <> 'hit'), 0)::bigint as input_tokens,
    coalesce(sum(output_tokens) filter (where cache <> 'hit'), 0)::bigint as output_tokens,
    sum(cost_usd) as cost_usd,
    coalesce(sum(saved_usd) filter (where cache = 'hit'), 0) as saved_by_cache_usd,
    coalesce(sum(saved_usd) filter (where cache <> 'hit'), 0) as saved_by_routing_usd
  from public.roll_up_hours
  group by tenant_id, starts_at, mode, model, provider;

-- What ratings say, 0 to 1, by the buckets of quality_score_ratio.
create view public.dashboard_scores with (security_invoker = true) as
  select tenant_id, date_trunc('hour', received_at, 'UTC') as starts_at, coalesce(mode, 0::smallint) as mode,
    coalesce(model, 'none') as model, coalesce(provider, 'none') as provider, source,
    (
      select min(bound)
      from unnest(array[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1]) as bound
      where bound >= score
    ) as at_most,
    count(*) as ratings, sum(score) as score
  from (
    select f.*, public.feedback_score(f.thumbs, f.rating) as score
    from public.quality_feedback f
    where f.matched_at is not null
  ) as rated
  where score is not null
  group by 1, 2, 3, 4, 5, 6, 7;

-- Answers that failed, came with a warning, or came from another model than the one that was to answer.
create view public.dashboard_troubles with (security_invoker = true) as
  select tenant_id, date_trunc('hour', created_at, 'UTC') as starts_at, coalesce(mode, 0::smallint) as mode,
    coalesce(model, 'none') as model, coalesce(provider, 'none') as provider, 'error' as kind, error_code as type,
    count(*) as requests
  from public.ml_predictions
  where error_code is not null
  group by 1, 2, 3, 4, 5, 6, 7
  union all
  select tenant_id, date_trunc('hour', created_at, 'UTC'), coalesce(mode, 0::smallint), model, provider,
    'degraded', 'fallback', count(*)
  from public.ml_predictions
  where attempts > 1 and outcome = 'success' and features ? 'failures'
    -- Candidates stand in the order in which they were to be tried.
    and model <> decision -> 'candidates' -> 0 ->> 'id'
  group by 1, 2, 3, 4, 5, 6, 7
  union all
  select tenant_id, starts_at, mode, model, provider, 'warning', 'uncounted', sum(estimated)::bigint
  from public.roll_up_hours
  where estimated > 0 and outcome = 'success'
  group by 1, 2, 3, 4, 5, 6, 7
  union all
  select a.tenant_id, date_trunc('hour', a.created_at, 'UTC'), coalesce(p.mode, 0::smallint), a.model, a.provider,
    'warning', 'unpriced', count(*)
  from public.ledger_attempts a
  left join public.ml_predictions p on p.id = a.prediction_id and p.tenant_id = a.tenant_id
  where a.priced_by = 'unpriced' and a.result = 'answered'
  group by 1, 2, 3, 4, 5, 6, 7;

-- How old an answer was when a hit repeated it, hit by hit; without those that are only counted by the minute. A
-- prediction's id begins with its time, in milliseconds.
create view public.dashboard_entry_ages with (security_invoker = true) as
  select tenant_id, created_at, coalesce(mode, 0::smallint) as mode, coalesce(model, 'none') as model,
    coalesce(provider, 'none') as provider, coalesce(cache_tier, 'none') as tier,
    greatest(0, extract(epoch from created_at)
      - ('x' || left(replace(cached_prediction_id::text, '-', ''), 12))::bit(48)::bigint / 1000.0) as age_seconds
  from public.ml_predictions
  where cache = 'hit' and cached_prediction_id is not null;

revoke all on
  public.dashboard_requests, public.dashboard_latency, public.dashboard_costs, public.dashboard_scores,
  public.dashboard_troubles, public.dashboard_entry_ages
  from anon, authenticated;
grant select on
  public.dashboard_requests, public.dashboard_latency, public.dashboard_costs, public.dashboard_scores,
  public.dashboard_troubles, public.dashboard_entry_ages
  to authenticated, service_role;

-- All that the page at /monitoring shows of a longer time, from the views above. One value, because rows would be cut off
-- at the bound of a page. `at` is when a step begins; null: all of the time.
create function public.dashboard_history(
  since timestamptz, step_seconds integer, of_mode smallint default null, of_model text default null,
  of_tenant text default null
)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
  with chosen as (
    select make_interval(secs => step_seconds) as step, (select id from public.tenants where name = of_tenant) as tenant
  ), requests as (
    select date_bin(step, starts_at, since) as at, r.*
    from public.dashboard_requests r, chosen
    where starts_at >= since and (of_mode is null or mode = of_mode) and (of_tenant is null or tenant_id = tenant)
      and (of_model is null or of_model in (model, substr(model, strpos(model, ':') + 1)))
  ), latency as (
    select date_bin(step, starts_at, since) as at, l.*
    from public.dashboard_latency l, chosen
    where starts_at >= since and (of_mode is null or mode = of_mode) and (of_tenant is null or tenant_id = tenant)
      and (of_model is null or of_model in (model, substr(model, strpos(model, ':') + 1)))
  ), costs as (
    select date_bin(step, starts_at, since) as at, c.*
    from public.dashboard_costs c, chosen
    where starts_at >= since and (of_mode is null or mode = of_mode) and (of_tenant is null or tenant_id = tenant)
      and (of_model is null or of_model in (model, substr(model, strpos(model, ':') + 1)))
  ), scores as (
    select date_bin(step, starts_at, since) as at, s.*
    from public.dashboard_scores s, chosen
    where starts_at >= since and (of_mode is null or mode = of_mode) and (of_tenant is null or tenant_id = tenant)
      and (of_model is null or of_model in (model, substr(model, strpos(model, ':') + 1)))
  ), troubles as (
    select date_bin(step, starts_at, since) as at, t.*
    from public.dashboard_troubles t, chosen
    where starts_at >= since and (of_mode is null or mode = of_mode) and (of_tenant is null or tenant_id = tenant)
      and (of_model is null or of_model in (model, substr(model, strpos(model, ':') + 1)))
  ), names as (
    select id, name from public.tenants
  ), known as (
    -- Whatever is chosen: something else can be.
    select tenant_id, mode, substr(model, strpos(model, ':') + 1) as model, sum(asked + cached) as answers
    from public.dashboard_costs
    where starts_at >= since
    group by 1, 2, 3
  )
  select jsonb_build_object(
    'summed_to', (select result ->> 'through' from public.upkeep where job = 'roll_up'),
    'requests', (
      select coalesce(jsonb_agg(to_jsonb(r)), '[]')
      from (
        select at, sum(requests) as requests, sum(successes) as successes, sum(errors) as errors,
          sum(cancelled) as cancelled, sum(hits) as hits, sum(misses) as misses
        from requests
        group by grouping sets ((at), ())
      ) as r
    ),
    'latency', (
      select coalesce(jsonb_agg(to_jsonb(q)), '[]')
      from (
        select at, mean_ms, public.bucket_quantile(0.95, buckets) as p95_ms, public.bucket_quantile(0.99, buckets) as p99_ms
        from (
          select at, sum(total_ms) / sum(requests) as mean_ms, public.merge_buckets(array_agg(total_buckets)) as buckets
          from latency
          group by grouping sets ((at), ())
        ) as merged
      ) as q
    ),
    'costs', (
      select coalesce(jsonb_agg(to_jsonb(c)), '[]')
      from (
        select at, sum(asked) as asked, sum(cached) as cached, sum(input_tokens) as input_tokens,
          sum(output_tokens) as output_tokens, sum(cost_usd) as cost_usd, sum(saved_by_cache_usd) as saved_by_cache_usd,
          sum(saved_by_routing_usd) as saved_by_routing_usd
        from costs
        group by grouping sets ((at), ())
      ) as c
    ),
    'modes', (
      select coalesce(jsonb_agg(to_jsonb(m)), '[]')
      from (
        select mode, sum(requests) as requests, sum(hits) as hits, sum(misses) as misses, sum(bypasses) as bypasses
        from requests group by mode
      ) as m
    ),
    'mode_costs', (
      select coalesce(jsonb_agg(to_jsonb(m)), '[]')
      from (select mode, sum(cost_usd) as cost_usd from costs group by mode) as m
    ),
    'tenants', (
      select coalesce(jsonb_agg(to_jsonb(t)), '[]')
      from (
        select coalesce(min(name), '(erased)') as tenant, sum(requests) as requests
        from requests left join names on id = tenant_id group by tenant_id order by 2 desc limit 10
      ) as t
    ),
    'tenant_costs', (
      select coalesce(jsonb_agg(to_jsonb(t)), '[]')
      from (
        select coalesce(min(name), '(erased)') as tenant, sum(cost_usd) as cost_usd
        from costs left join names on id = tenant_id group by tenant_id order by 2 desc limit 10
      ) as t
    ),
    'scores', (
      select coalesce(jsonb_agg(to_jsonb(s)), '[]')
      from (
        select at, at_most, sum(ratings) as ratings, sum(score) as score
        from scores group by grouping sets ((at, at_most), (at_most))
      ) as s
    ),
    'troubles', (
      select coalesce(jsonb_agg(to_jsonb(t)), '[]')
      from (
        select at, kind, type, sum(requests) as requests
        from troubles group by grouping sets ((at, kind, type), (kind, type))
      ) as t
    ),
    'choices', jsonb_build_object(
      'mode', (select coalesce(jsonb_agg(distinct mode::text), '[]') from known where mode > 0),
      'model', (
        select coalesce(jsonb_agg(model order by model), '[]')
        from (
          select model from known where model <> 'none' group by model order by sum(answers) desc, model limit 200
        ) as most
      ),
      'tenant', (
        select coalesce(jsonb_agg(name order by name), '[]')
        from (
          select min(name) as name from known join names on id = tenant_id group by tenant_id
          order by sum(answers) desc, 1 limit 200
        ) as most
      )
    )
  );
$$;

revoke execute on function public.dashboard_history(timestamptz, integer, smallint, text, text)
  from public, anon, authenticated;
grant execute on function public.dashboard_history(timestamptz, integer, smallint, text, text) to service_role;
