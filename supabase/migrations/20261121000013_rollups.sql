-- Totals by minute and by hour. A request is counted once: as its row in ml_predictions or, above a tenant's rate of
-- hits, inside a row of prediction_minutes.

-- How many of these durations lie in each of 18 buckets (buckets A of /metrics): up to 1 ms, up to 2.5 ms and so on, over
-- two minutes. Null counts nowhere. Takes a whole group at once: a call for each row would cost more than the row.
create function public.latency_buckets(durations_ms double precision[])
returns bigint[]
language sql
immutable
security invoker
set search_path = ''
as $$
  select array_agg(coalesce(counted.times, 0) order by bucket)
  from generate_series(0, 17) as bucket
  left join (
    -- width_bucket counts the edges that are not above; mirrored, it leaves out the one that is equal, as `le` does.
    select 17 - width_bucket(-ms, array[-120000, -60000, -30000, -20000, -10000, -5000, -2500, -1000, -500, -250, -100,
      -50, -25, -10, -5, -2.5, -1]::double precision[]) as number, count(*) as times
    from unnest(durations_ms) as ms
    group by 1
  ) as counted on counted.number = bucket
$$;

-- The sum of several, as array_agg hands them over: one after the other.
create function public.merge_buckets(several bigint[])
returns bigint[]
language sql
immutable
security invoker
set search_path = ''
as $$
  select array_agg(times order by bucket)
  from (
    select (place - 1) % 18 as bucket, sum(counted)::bigint as times
    from unnest(several) with ordinality as each_of (counted, place)
    group by 1
  ) as summed
$$;

-- In milliseconds, linear within its bucket, as Prometheus does; never above the last edge. Null where nothing counts.
create function public.bucket_quantile(quantile double precision, buckets bigint[])
returns double precision
language sql
immutable
security invoker
set search_path = ''
as $$
  with edges as (
    select array[0, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 20000, 30000, 60000,
      120000]::double precision[] as edge
  ), counted as (
    select place, times, sum(times) over (order by place) as up_to, sum(times) over () as total
    from unnest(buckets) with ordinality as bucket (times, place)
  )
  select case
    when place > 17 then edge[18]
    else edge[place] + (edge[place + 1] - edge[place]) * (quantile * total - (up_to - times)) / times
  end
  from counted, edges
  where times > 0 and up_to >= quantile * total
  order by place
  limit 1
$$;

create table public.roll_up_minutes (
  -- No foreign key: totals stay when a tenant is erased.
  tenant_id uuid not null,
  starts_at timestamptz not null,
  -- 0 = not known. Of the words below, 'none' = not known or did not happen.
  mode smallint not null default 0,
  model text not null default 'none',
  provider text not null default 'none',
  outcome text not null,
  cache text not null default 'none',
  cache_tier text not null default 'none',
  cache_match text not null default 'none',
  requests bigint not null check (requests > 0),
  streams bigint not null default 0,
  input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  -- Requests whose tokens we counted.
  estimated bigint not null default 0,
  cost_usd numeric not null default 0,
  saved_usd numeric not null default 0,
  -- Sums, and counts by bucket; the mean time to the first byte is its sum over the count of its buckets.
  total_ms double precision not null default 0,
  upstream_ms double precision not null default 0,
  first_byte_ms double precision not null default 0,
  total_buckets bigint[] not null check (cardinality(total_buckets) = 18),
  upstream_buckets bigint[] not null check (cardinality(upstream_buckets) = 18),
  first_byte_buckets bigint[] not null check (cardinality(first_byte_buckets) = 18)
);

create table public.roll_up_hours (like public.roll_up_minutes including defaults including constraints);

-- Requests that have no row of their own: hits above a tenant's rate, added up by the gateway for a minute, and what is
-- left of an erased user's.
create table public.prediction_minutes (
  -- Made by the gateway: inserting twice is once. Several rows of one minute add up.
  id uuid primary key,
  stored_at timestamptz not null default now(),
  like public.roll_up_minutes including defaults including constraints,
  foreign key (tenant_id) references public.tenants (id) on delete cascade,
  check (extract(second from starts_at) = 0),
  check (mode between 0 and 4),
  check (length(model) between 1 and 512 and length(provider) between 1 and 128),
  check (outcome in ('success', 'client_error', 'error', 'cancelled')),
  check (cache in ('hit', 'miss', 'bypass', 'none')),
  check (cache_tier in ('memory', 'kv', 'redis', 'supabase', 'none')),
  check (cache_match in ('exact', 'semantic', 'none')),
  check (least(streams, input_tokens, output_tokens, estimated) >= 0),
  check (cost_usd between 0 and 1000000 and saved_usd between 0 and 1000000),
  check (total_ms between 0 and 1e15 and upstream_ms between 0 and 1e15 and first_byte_ms between 0 and 1e15)
);

alter table public.roll_up_minutes
  add primary key (tenant_id, starts_at, model, provider, outcome, cache, cache_tier, cache_match, mode);
alter table public.roll_up_hours
  add primary key (tenant_id, starts_at, model, provider, outcome, cache, cache_tier, cache_match, mode);
create index prediction_minutes_tenant_starts on public.prediction_minutes (tenant_id, starts_at);
create index prediction_minutes_stored on public.prediction_minutes (stored_at);

-- Ratings by the hour in which they first came, and by what had answered. Only those that found their prediction.
create table public.feedback_hours (
  tenant_id uuid not null,
  starts_at timestamptz not null,
  model text not null,
  provider text not null,
  mode smallint not null,
  source text not null,
  ratings bigint not null check (ratings > 0),
  thumbs_up bigint not null,
  thumbs_down bigint not null,
  -- Ratings that say how good it was, and the sum of that, 0 to 1 each.
  scored bigint not null,
  score double precision not null,
  outcomes bigint not null,
  outcome double precision not null,
  corrections bigint not null,
  primary key (tenant_id, starts_at, model, provider, mode, source)
);

-- How good a rating says it was, 0 to 1; null where it does not say.
create function public.feedback_score(thumbs text, rating smallint)
returns double precision
language sql
immutable
security invoker
set search_path = ''
as $$
  select coalesce((rating - 1) / 4.0, case thumbs when 'up' then 1 when 'down' then 0 end)::double precision
$$;

revoke execute on function
  public.latency_buckets(double precision[]), public.merge_buckets(bigint[]),
  public.bucket_quantile(double precision, bigint[]),
  public.feedback_score(text, smallint)
  from public, anon, authenticated;
grant execute on function
  public.latency_buckets(double precision[]), public.merge_buckets(bigint[]),
  public.bucket_quantile(double precision, bigint[]),
  public.feedback_score(text, smallint)
  to authenticated, service_role, beast_recorder;

alter table public.roll_up_minutes enable row level security;
alter table public.roll_up_minutes force row level security;
alter table public.roll_up_hours enable row level security;
alter table public.roll_up_hours force row level security;
alter table public.prediction_minutes enable row level security;
alter table public.prediction_minutes force row level security;
alter table public.feedback_hours enable row level security;
alter table public.feedback_hours force row level security;

revoke all on public.roll_up_minutes, public.roll_up_hours, public.prediction_minutes, public.feedback_hours
  from anon, authenticated;
grant select on public.roll_up_minutes, public.roll_up_hours, public.prediction_minutes, public.feedback_hours
  to authenticated;
grant select, insert, update, delete
  on public.roll_up_minutes, public.roll_up_hours, public.prediction_minutes, public.feedback_hours to service_role;
grant select, insert, update on public.roll_up_minutes, public.roll_up_hours, public.feedback_hours to beast_recorder;
grant select, insert on public.prediction_minutes to beast_recorder;

create policy members_read on public.roll_up_minutes for select to authenticated
  using (tenant_id = (select public.caller_tenant()));
create policy recorder_reads on public.roll_up_minutes for select to beast_recorder using (true);
create policy recorder_adds on public.roll_up_minutes for insert to beast_recorder with check (true);
create policy recorder_renews on public.roll_up_minutes for update to beast_recorder using (true) with check (true);

create policy members_read on public.roll_up_hours for select to authenticated
  using (tenant_id = (select public.caller_tenant()));
create policy recorder_reads on public.roll_up_hours for select to beast_recorder using (true);
create policy recorder_adds on public.roll_up_hours for insert to beast_recorder with check (true);
create policy recorder_renews on public.roll_up_hours for update to beast_recorder using (true) with check (true);

create policy members_read on public.feedback_hours for select to authenticated
  using (tenant_id = (select public.caller_tenant()));
create policy recorder_reads on public.feedback_hours for select to beast_recorder using (true);
create policy recorder_adds on public.feedback_hours for insert to beast_recorder with check (true);
create policy recorder_renews on public.feedback_hours for update to beast_recorder using (true) with check (true);

create policy members_read on public.prediction_minutes for select to authenticated
  using (tenant_id = (select public.caller_tenant()));
create policy recorder_reads on public.prediction_minutes for select to beast_recorder using (true);
create policy recorder_adds on public.prediction_minutes for insert to beast_recorder with check (true);
