-- Makes the roll-ups, and lets go of what has had its time. Both are called by cron and may be called again at will.

-- Brings up to date every minute and hour that something stored in [stored_from, stored_to) belongs to, however old
-- it is: what was late because a store was away is counted all the same. A call should overlap the one before by more
-- than a transaction takes (ten minutes are plenty). What was pruned is left as it is.
create function public.roll_up(stored_from timestamptz, stored_to timestamptz)
returns table (minutes integer, hours integer, feedback integer)
language plpgsql
security invoker
set search_path = ''
as $$
#variable_conflict use_column
declare
  tenants uuid[];
  starts timestamptz[];
begin
  with touched as (
    select tenant_id, date_trunc('minute', created_at) as starts_at
    from public.ml_predictions where stored_at >= stored_from and stored_at < stored_to
    union
    select tenant_id, starts_at
    from public.prediction_minutes where stored_at >= stored_from and stored_at < stored_to
  ), due as (
    select touched.* from touched
    join public.tenants on id = tenant_id and starts_at >= predictions_pruned_before
  ), counted as (
    select tenant_id, starts_at, coalesce(mode, 0::smallint) as mode, coalesce(model, 'none') as model,
      coalesce(provider, 'none') as provider, outcome, cache, coalesce(cache_tier, 'none') as cache_tier,
      coalesce(cache_match, 'none') as cache_match,
      count(*) as requests, count(*) filter (where stream) as streams,
      coalesce(sum(input_tokens), 0) as input_tokens, coalesce(sum(output_tokens), 0) as output_tokens,
      count(*) filter (where tokens_estimated) as estimated,
      sum(cost_usd) as cost_usd, sum(saved_usd) as saved_usd, sum(total_ms) as total_ms,
      coalesce(sum(upstream_ms), 0) as upstream_ms, coalesce(sum(first_byte_ms), 0) as first_byte_ms,
      public.latency_buckets(array_agg(total_ms)) as total_buckets,
      public.latency_buckets(array_agg(upstream_ms)) as upstream_buckets,
      public.latency_buckets(array_agg(first_byte_ms)) as first_byte_buckets
    from (
      select due.starts_at, p.*
      from due
      join public.ml_predictions p on p.tenant_id = due.tenant_id
        and p.created_at >= due.starts_at and p.created_at < due.starts_at + interval '1 minute'
    ) as of_minute
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9
    union all
    select tenant_id, starts_at, mode, model, provider, outcome, cache, cache_tier, cache_match,
      requests, streams, input_tokens, output_tokens, estimated, cost_usd, saved_usd, total_ms, upstream_ms,
      first_byte_ms, total_buckets, upstream_buckets, first_byte_buckets
    from due join public.prediction_minutes using (tenant_id, starts_at)
  ), rolled as (
    insert into public.roll_up_minutes
    select tenant_id, starts_at, mode, model, provider, outcome, cache, cache_tier, cache_match,
      sum(requests), sum(streams), sum(input_tokens), sum(output_tokens), sum(estimated), sum(cost_usd),
      sum(saved_usd), sum(total_ms), sum(upstream_ms), sum(first_byte_ms), public.merge_buckets(array_agg(total_buckets)),
      public.merge_buckets(array_agg(upstream_buckets)), public.merge_buckets(array_agg(first_byte_buckets))
    from counted
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9
    on conflict (tenant_id, starts_at, model, provider, outcome, cache, cache_tier, cache_match, mode) do update set
      requests = excluded.requests, streams = excluded.streams, input_tokens = excluded.input_tokens,
      output_tokens = excluded.output_tokens, estimated = excluded.estimated, cost_usd = excluded.cost_usd,
      saved_usd = excluded.saved_usd, total_ms = excluded.total_ms, upstream_ms = excluded.upstream_ms,
      first_byte_ms = excluded.first_byte_ms, total_buckets = excluded.total_buckets,
      upstream_buckets = excluded.upstream_buckets, first_byte_buckets = excluded.first_byte_buckets
    returning tenant_id, starts_at
  ), hours_due as (
    select distinct tenant_id, date_trunc('hour', starts_at, 'UTC') as hour from rolled
  )
  select (select count(*) from rolled), array_agg(tenant_id), array_agg(hour) into minutes, tenants, starts
  from hours_due;

  insert into public.roll_up_hours
  select m.tenant_id, due.hour, mode, model, provider, outcome, cache, cache_tier, cache_match,
    sum(requests), sum(streams), sum(input_tokens), sum(output_tokens), sum(estimated), sum(cost_usd),
    sum(saved_usd), sum(total_ms), sum(upstream_ms), sum(first_byte_ms), public.merge_buckets(array_agg(total_buckets)),
    public.merge_buckets(array_agg(upstream_buckets)), public.merge_buckets(array_agg(first_byte_buckets))
  from unnest(tenants, starts) as due (tenant, hour)
  join public.roll_up_minutes m on m.tenant_id = due.tenant
    and m.starts_at >= due.hour and m.starts_at < due.hour + interval '1 hour'
  group by 1, 2, 3, 4, 5, 6, 7, 8, 9
  on conflict (tenant_id, starts_at, model, provider, outcome, cache, cache_tier, cache_match, mode) do update set
    requests = excluded.requests, streams = excluded.streams, input_tokens = excluded.input_tokens,
    output_tokens = excluded.output_tokens, estimated = excluded.estimated, cost_usd = excluded.cost_usd,
    saved_usd = excluded.saved_usd, total_ms = excluded.total_ms, upstream_ms = excluded.upstream_ms,
    first_byte_ms = excluded.first_byte_ms, total_buckets = excluded.total_buckets,
    upstream_buckets = excluded.upstream_buckets, first_byte_buckets = excluded.first_byte_buckets;
  get diagnostics hours = row_count;

  with touched as (
    select distinct tenant_id, date_trunc('hour', received_at, 'UTC') as starts_at
    from public.quality_feedback
    where changed_at >= stored_from and changed_at < stored_to and matched_at is not null
  ), due as (
    select touched.* from touched
    join public.tenants on id = tenant_id and starts_at >= feedback_pruned_before
  )
  insert into public.feedback_hours
  select f.tenant_id, due.starts_at, coalesce(f.model, 'none'), coalesce(f.provider, 'none'), coalesce(f.mode, 0),
    f.source, count(*), count(*) filter (where thumbs = 'up'), count(*) filter (where thumbs = 'down'),
    count(public.feedback_score(thumbs, rating)), coalesce(sum(public.feedback_score(thumbs, rating)), 0),
    count(outcome), coalesce(sum(outcome), 0), count(correction)
  from due
  join public.quality_feedback f on f.tenant_id = due.tenant_id and f.matched_at is not null
    and f.received_at >= due.starts_at and f.received_at < due.starts_at + interval '1 hour'
  group by 1, 2, 3, 4, 5, 6
  on conflict (tenant_id, starts_at, model, provider, mode, source) do update set
    ratings = excluded.ratings, thumbs_up = excluded.thumbs_up, thumbs_down = excluded.thumbs_down,
    scored = excluded.scored, score = excluded.score, outcomes = excluded.outcomes, outcome = excluded.outcome,
    corrections = excluded.corrections;
  get diagnostics feedback = row_count;
  return next;
end;
$$;

-- Removes what is older than its tenant keeps it, at most `batch_rows` of each kind, and says how many: call it until
-- all are 0. The limits move by whole hours and never back, so that roll_up knows which hours are still complete.
create function public.prune_expired(batch_rows integer default 5000)
returns table (
  predictions integer, texts integer, minutes integer, totals integer, feedback integer, ledger integer
)
language plpgsql
security invoker
set search_path = ''
as $$
declare
  bound constant integer := least(greatest(batch_rows, 1), 50000);
begin
  update public.tenants t
  set predictions_pruned_before = greatest(predictions_pruned_before, limits.predictions),
    feedback_pruned_before = greatest(feedback_pruned_before, limits.feedback)
  from (
    select id, date_trunc('hour', now() - make_interval(days => retention_days), 'UTC') as predictions,
      date_trunc('hour', now() - make_interval(days => feedback_retention_days), 'UTC') as feedback
    from public.tenants
  ) as limits
  where limits.id = t.id
    and (predictions_pruned_before < limits.predictions or feedback_pruned_before < limits.feedback);

  delete from public.ml_predictions where id in (
    select old.id from public.tenants t cross join lateral (
      select p.id from public.ml_predictions p
      where p.tenant_id = t.id and p.created_at < t.predictions_pruned_before order by p.created_at limit bound
    ) as old limit bound
  );
  get diagnostics predictions = row_count;

  delete from public.prediction_texts where prediction_id in (
    select old.prediction_id from public.tenants t cross join lateral (
      select x.prediction_id from public.prediction_texts x
      where x.tenant_id = t.id
        and (not t.keeps_text or x.created_at < now() - make_interval(days => t.text_retention_days))
      order by x.created_at limit bound
    ) as old limit bound
  );
  get diagnostics texts = row_count;

  delete from public.prediction_minutes where id in (
    select old.id from public.tenants t cross join lateral (
      select m.id from public.prediction_minutes m
      where m.tenant_id = t.id and m.starts_at < t.predictions_pruned_before order by m.starts_at limit bound
    ) as old limit bound
  );
  get diagnostics minutes = row_count;

  delete from public.roll_up_minutes m
  using (
    select old.* from public.tenants t cross join lateral (
      select r.ctid as place from public.roll_up_minutes r
      where r.tenant_id = t.id and r.starts_at < t.predictions_pruned_before order by r.starts_at limit bound
    ) as old limit bound
  ) as old
  where m.ctid = old.place;
  get diagnostics totals = row_count;

  with doomed as (
    delete from public.quality_feedback f
    using (
      select old.* from public.tenants t cross join lateral (
        select q.tenant_id, q.prediction_id, q.source from public.quality_feedback q
        where q.tenant_id = t.id and q.received_at < t.feedback_pruned_before order by q.received_at limit bound
      ) as old limit bound
    ) as old
    where (f.tenant_id, f.prediction_id, f.source) = (old.tenant_id, old.prediction_id, old.source)
    returning f.tenant_id, f.prediction_id, f.source
  ), forgotten as (
    delete from public.quality_feedback_history h using doomed
    where (h.tenant_id, h.prediction_id, h.source) = (doomed.tenant_id, doomed.prediction_id, doomed.source)
  )
  select count(*) into feedback from doomed;

  with attempts as (
    delete from public.ledger_attempts a
    using (
      select old.* from public.tenants t cross join lateral (
        select l.prediction_id, l.attempt from public.ledger_attempts l
        where l.tenant_id = t.id and l.created_at < now() - make_interval(days => t.ledger_retention_days)
        order by l.created_at limit bound
      ) as old limit bound
    ) as old
    where (a.prediction_id, a.attempt) = (old.prediction_id, old.attempt)
    returning 1
  ), requests as (
    delete from public.ledger where prediction_id in (
      select old.prediction_id from public.tenants t cross join lateral (
        select l.prediction_id from public.ledger l
        where l.tenant_id = t.id and l.created_at < now() - make_interval(days => t.ledger_retention_days)
        order by l.created_at limit bound
      ) as old limit bound
    )
    returning 1
  )
  select (select count(*) from attempts) + (select count(*) from requests) into ledger;

  return next;
end;
$$;

revoke execute on function public.roll_up(timestamptz, timestamptz), public.prune_expired(integer)
  from public, anon, authenticated;
grant execute on function public.roll_up(timestamptz, timestamptz) to service_role, beast_recorder;
grant execute on function public.prune_expired(integer) to service_role;
