-- What dashboards and Supabase's own SQL editor ask. Each view has the rights of whoever asks, so row-level security
-- shows a member only the own tenant. Rates and shares are 0 to 1, times in milliseconds, money in US dollars.

create view public.requests_by_minute with (security_invoker = true) as
  select tenant_id, starts_at, mode, model, provider,
    sum(requests) as requests,
    sum(requests) filter (where outcome = 'success') as successes,
    sum(requests) filter (where outcome = 'client_error') as client_errors,
    sum(requests) filter (where outcome = 'error') as errors,
    sum(requests) filter (where outcome = 'cancelled') as cancelled,
    sum(streams) as streams,
    (coalesce(sum(requests) filter (where outcome = 'error'), 0) / sum(requests))::double precision as error_rate
  from public.roll_up_minutes
  group by tenant_id, starts_at, mode, model, provider;

create view public.latency_by_hour with (security_invoker = true) as
  select tenant_id, starts_at, model, provider, cache, requests, total_ms / requests as mean_ms,
    public.bucket_quantile(0.5, total_buckets) as p50_ms,
    public.bucket_quantile(0.95, total_buckets) as p95_ms,
    public.bucket_quantile(0.99, total_buckets) as p99_ms,
    public.bucket_quantile(0.95, upstream_buckets) as upstream_p95_ms,
    public.bucket_quantile(0.95, first_byte_buckets) as first_byte_p95_ms
  from (
    select tenant_id, starts_at, model, provider, cache, sum(requests) as requests, sum(total_ms) as total_ms,
      public.merge_buckets(array_agg(total_buckets)) as total_buckets,
      public.merge_buckets(array_agg(upstream_buckets)) as upstream_buckets,
      public.merge_buckets(array_agg(first_byte_buckets)) as first_byte_buckets
    from public.roll_up_hours
    group by tenant_id, starts_at, model, provider, cache
  ) as merged;

create view public.cost_by_hour with (security_invoker = true) as
  select tenant_id, starts_at, mode, model, provider, sum(requests) as requests,
    sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens,
    sum(estimated) as requests_estimated, sum(cost_usd) as cost_usd,
    coalesce(sum(saved_usd) filter (where cache = 'hit'), 0) as saved_by_cache_usd,
    coalesce(sum(saved_usd) filter (where cache <> 'hit'), 0) as saved_by_routing_usd
  from public.roll_up_hours
  group by tenant_id, starts_at, mode, model, provider;

create view public.cache_by_hour with (security_invoker = true) as
  select tenant_id, starts_at, mode, hits, exact_hits, semantic_hits, memory_hits, kv_hits, redis_hits, supabase_hits,
    misses, bypasses, (hits / nullif(hits + misses, 0))::double precision as hit_rate, saved_usd
  from (
    select tenant_id, starts_at, mode,
      coalesce(sum(requests) filter (where cache = 'hit'), 0) as hits,
      coalesce(sum(requests) filter (where cache = 'hit' and cache_match = 'exact'), 0) as exact_hits,
      coalesce(sum(requests) filter (where cache = 'hit' and cache_match = 'semantic'), 0) as semantic_hits,
      coalesce(sum(requests) filter (where cache = 'hit' and cache_tier = 'memory'), 0) as memory_hits,
      coalesce(sum(requests) filter (where cache = 'hit' and cache_tier = 'kv'), 0) as kv_hits,
      coalesce(sum(requests) filter (where cache = 'hit' and cache_tier = 'redis'), 0) as redis_hits,
      coalesce(sum(requests) filter (where cache = 'hit' and cache_tier = 'supabase'), 0) as supabase_hits,
      coalesce(sum(requests) filter (where cache = 'miss'), 0) as misses,
      coalesce(sum(requests) filter (where cache = 'bypass'), 0) as bypasses,
      coalesce(sum(saved_usd) filter (where cache = 'hit'), 0) as saved_usd
    from public.roll_up_hours
    group by tenant_id, starts_at, mode
  ) as counted;

create view public.quality_by_hour with (security_invoker = true) as
  select tenant_id, starts_at, model, provider, mode, source, ratings, thumbs_up, thumbs_down,
    thumbs_up / nullif(thumbs_up + thumbs_down, 0)::double precision as satisfaction,
    score / nullif(scored, 0) as quality,
    outcome / nullif(outcomes, 0) as mean_outcome,
    corrections
  from public.feedback_hours;

-- How many of the answers are rated, by the hour of the answer and of the rating.
create view public.feedback_rate with (security_invoker = true) as
  select tenant_id, starts_at, model, provider, answers, coalesce(ratings, 0) as ratings,
    (coalesce(ratings, 0) / answers)::double precision as feedback_rate
  from (
    select tenant_id, starts_at, model, provider, sum(requests) as answers
    from public.roll_up_hours where outcome = 'success'
    group by tenant_id, starts_at, model, provider
  ) as answered
  left join (
    select tenant_id, starts_at, model, provider, sum(ratings) as ratings
    from public.feedback_hours
    group by tenant_id, starts_at, model, provider
  ) as rated using (tenant_id, starts_at, model, provider);

-- Each rating with what has become of it. What finds no prediction within a day counts for nothing.
create view public.feedback_status with (security_invoker = true) as
  select tenant_id, prediction_id, source, thumbs, rating, outcome, correction, tags, received_at, amended_at, revisions,
    model, provider, mode, matched_at,
    case
      when matched_at is not null then 'matched'
      when stored_at > now() - interval '24 hours' then 'pending'
      else 'unmatched'
    end as status
  from public.quality_feedback;

-- What selection expected of the models that it chose, beside what users said of their answers.
create view public.prediction_accuracy with (security_invoker = true) as
  select tenant_id, date_trunc('day', created_at, 'UTC') as starts_at, model, provider,
    count(*) as rated, avg(predicted_quality) as expected, avg(observed) as observed,
    avg(abs(predicted_quality - observed)) as mean_error,
    count(*) filter (where (predicted_quality >= 0.5) = (observed >= 0.5)) / count(*)::double precision as agreement
  from (
    select p.tenant_id, p.created_at, p.model, p.provider, p.predicted_quality,
      (select avg(public.feedback_score(f.thumbs, f.rating)) from public.quality_feedback f
       where f.tenant_id = p.tenant_id and f.prediction_id = p.id and f.matched_at is not null) as observed
    from public.ml_predictions p
    where p.predicted_quality is not null
  ) as judged
  where observed is not null
  group by 1, 2, 3, 4;

create view public.improvement_by_month with (security_invoker = true) as
  select tenant_id, date_trunc('month', decided_at, 'UTC') as starts_at, metric,
    count(*) as decided,
    count(*) filter (where decision = 'adopted') as adopted,
    count(*) filter (where decision = 'rejected') as rejected,
    count(*) filter (where decision = 'inconclusive') as inconclusive,
    coalesce(sum(
      case when higher_is_better then after_value - before_value else before_value - after_value end
    ) filter (where decision = 'adopted'), 0) as gained,
    avg(
      case when higher_is_better then after_value - before_value else before_value - after_value end
      / nullif(abs(before_value), 0)
    ) filter (where decision = 'adopted') as mean_relative_gain
  from public.quality_improvements
  group by 1, 2, 3;

create view public.model_overview with (security_invoker = true) as
  select tenant_id, model, provider, requests, (errors / requests)::double precision as error_rate,
    total_ms / requests as mean_ms,
    public.bucket_quantile(0.95, total_buckets) as p95_ms, cost_usd, cost_usd / requests as cost_per_request_usd,
    ratings, quality, last_used_at
  from (
    select tenant_id, model, provider, sum(requests) as requests,
      coalesce(sum(requests) filter (where outcome = 'error'), 0) as errors, sum(total_ms) as total_ms,
      public.merge_buckets(array_agg(total_buckets)) as total_buckets, sum(cost_usd) as cost_usd, max(starts_at) as last_used_at
    from public.roll_up_hours
    where starts_at > now() - interval '30 days'
    group by tenant_id, model, provider
  ) as used
  left join (
    select tenant_id, model, provider, sum(ratings) as ratings, sum(score) / nullif(sum(scored), 0) as quality
    from public.feedback_hours
    where starts_at > now() - interval '30 days'
    group by tenant_id, model, provider
  ) as rated using (tenant_id, model, provider);

create view public.tenant_overview with (security_invoker = true) as
  select t.id as tenant_id, t.name, t.plan, t.created_at, t.keeps_text, t.retention_days,
    coalesce(used.requests, 0) as requests, coalesce(used.errors, 0) as errors,
    (used.hits / nullif(used.asked, 0))::double precision as hit_rate,
    coalesce(used.cost_usd, 0) as cost_usd, coalesce(used.saved_usd, 0) as saved_usd, used.last_used_at
  from public.tenants t
  left join (
    select tenant_id, sum(requests) as requests,
      coalesce(sum(requests) filter (where outcome = 'error'), 0) as errors,
      coalesce(sum(requests) filter (where cache = 'hit'), 0) as hits,
      coalesce(sum(requests) filter (where cache in ('hit', 'miss')), 0) as asked,
      sum(cost_usd) as cost_usd, sum(saved_usd) as saved_usd, max(starts_at) as last_used_at
    from public.roll_up_hours
    where starts_at > now() - interval '30 days'
    group by tenant_id
  ) as used on used.tenant_id = t.id;

revoke all on
  public.requests_by_minute, public.latency_by_hour, public.cost_by_hour, public.cache_by_hour, public.quality_by_hour,
  public.feedback_rate, public.feedback_status, public.prediction_accuracy, public.improvement_by_month,
  public.model_overview, public.tenant_overview
  from anon, authenticated;
grant select on
  public.requests_by_minute, public.latency_by_hour, public.cost_by_hour, public.cache_by_hour, public.quality_by_hour,
  public.feedback_rate, public.feedback_status, public.prediction_accuracy, public.improvement_by_month,
  public.model_overview, public.tenant_overview
  to authenticated, service_role;
