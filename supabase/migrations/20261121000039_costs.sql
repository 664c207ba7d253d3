-- What /api/costs tells, of one snapshot: sums of the ledger by whatever it is asked by, and the history that forecasts are
-- made from. For the service role only; of which tenant is for the gateway to say.

-- Costs and savings line by line. A request that several models were asked for has a line for each, of which the last one's
-- counts as the request. What the ledger has beyond its calls, which should be nothing, has a line of no model: sums are the
-- ledger's, whatever they are taken by. Calls have the time of their request.
create function public.cost_lines(of_tenant uuid, since timestamptz, until timestamptz)
returns table (
  tenant_id uuid, key_id uuid, created_at timestamptz, tags jsonb, user_hash text, task text, mode smallint, model text,
  requests bigint, calls bigint, cost_usd numeric, unpriced_calls bigint, estimated_calls bigint, input_tokens bigint,
  output_tokens bigint, hits bigint, saved_usd numeric
)
language plpgsql
stable
security invoker
set search_path = ''
set plan_cache_mode = 'force_custom_plan'
as $$
#variable_conflict use_column
begin
  return query
  with calls as (
    select a.prediction_id, a.model, count(*) as calls, sum(a.cost_usd) as cost_usd,
      count(*) filter (where a.priced_by = 'unpriced') as unpriced, count(*) filter (where a.tokens_estimated) as estimated,
      sum(a.input_tokens) as input_tokens, sum(a.output_tokens) as output_tokens,
      sum(sum(a.cost_usd)) over of_request as request_usd,
      max(a.attempt) = max(max(a.attempt)) over of_request as is_last
    from public.tenants t
    join public.ledger_attempts a on a.tenant_id = t.id and a.created_at >= since and a.created_at < until
    where of_tenant is null or t.id = of_tenant
    group by a.prediction_id, a.model
    window of_request as (partition by a.prediction_id)
  ), paid as (
    select l.*, p.user_hash, p.task, p.mode
    from public.tenants t
    join public.ledger l on l.tenant_id = t.id and l.created_at >= since and l.created_at < until
    left join public.ml_predictions p on p.id = l.prediction_id
    where l.source = 'gateway' and (of_tenant is null or t.id = of_tenant)
  )
  select l.tenant_id, l.key_id, l.created_at, l.tags, l.user_hash, l.task, l.mode, c.model,
    c.is_last::integer::bigint, c.calls, c.cost_usd, c.unpriced, c.estimated, coalesce(c.input_tokens, 0),
    coalesce(c.output_tokens, 0), 0::bigint, 0::numeric
  from paid l join calls c on c.prediction_id = l.prediction_id
  union all
  select l.tenant_id, l.key_id, l.created_at, l.tags, l.user_hash, l.task, l.mode, null,
    (c.prediction_id is null)::integer, 0, l.cost_usd - coalesce(c.request_usd, 0), 0, 0, 0, 0, 0, 0
  from paid l left join calls c on c.prediction_id = l.prediction_id and c.is_last
  where c.prediction_id is null or c.request_usd <> l.cost_usd
  union all
  select p.tenant_id, p.key_id, p.created_at, p.tags, p.user_hash, p.task, p.mode, p.model,
    0, 0, 0, 0, 0, 0, 0, 1, p.saved_usd
  from public.tenants t
  join public.ml_predictions p on p.tenant_id = t.id and p.created_at >= since and p.created_at < until
  where p.cache = 'hit' and (of_tenant is null or t.id = of_tenant)
  union all
  -- Hits without a row of their own: of a minute, a model and a mode, and of nobody else.
  select m.tenant_id, null, m.starts_at, '{}', null, null, nullif(m.mode, 0), nullif(m.model, 'none'),
    0, 0, 0, 0, 0, 0, 0, m.requests, m.saved_usd
  from public.tenants t
  join public.prediction_minutes m on m.tenant_id = t.id and m.starts_at >= since and m.starts_at < until
  where m.cache = 'hit' and (of_tenant is null or t.id = of_tenant);
end;
$$;

-- Costs of whole days of the tenant's time zone (of UTC where all tenants are meant), once for each dimension: `total`,
-- `tenant`, `key`, `user`, `model`, `task`, `mode`, `day`, `hour`, `tag` (each pair; a request counts once for each of its
-- own) or `tag:NAME` (its values). Of each the dearest `top` values; what is left is one row that says how many there were.
-- Null where it is not asked for 1 to 400 days, or with `hour` to 31.
-- Money goes as text, with nine decimals: readers' numbers are not as exact as Postgres's.
create function public.costs(
  of_tenant uuid,
  first_day date default null,
  last_day date default null,
  dimensions text[] default '{}',
  as_of timestamptz default now(),
  top integer default 100
)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
set plan_cache_mode = 'force_custom_plan'
-- The REST surface takes this over; what it logs in with allows eight seconds on a hosted project.
set statement_timeout = '20s'
as $$
declare
  zone constant text := coalesce((select t.time_zone from public.tenants t where t.id = of_tenant), 'UTC');
  today constant date := (as_of at time zone zone)::date;
  last_one constant date := coalesce(last_day, greatest(today, first_day));
  first_one constant date := coalesce(first_day, date_trunc('month', last_one)::date);
  days constant integer := last_one - first_one + 1;
  starts_at constant timestamptz := first_one::timestamp at time zone zone;
  ends_at constant timestamptz := (last_one + 1)::timestamp at time zone zone;
  -- As much of the days before as has gone by of these.
  before_starts constant timestamptz := (first_one - days)::timestamp at time zone zone;
  before_ends constant timestamptz :=
    ((least(ends_at, greatest(as_of, starts_at)) at time zone zone) - make_interval(days => days)) at time zone zone;
  instant constant text := 'YYYY-MM-DD"T"HH24:MI:SS"Z"';
  found jsonb;
begin
  if days not between 1 and (case when 'hour' = any (dimensions) then 31 else 400 end) then
    return null;
  end if;

  with lines as materialized (
    select * from public.cost_lines(of_tenant, starts_at, ends_at)
  ), valued as (
    select d.dimension, v.value, lines.*
    from lines
    cross join unnest(array['total'] || dimensions) as d (dimension)
    cross join lateral (
      select pair.key || '=' || pair.value as value from jsonb_each_text(lines.tags) as pair where d.dimension = 'tag'
      union all
      select case d.dimension
        when 'tenant' then (select t.name from public.tenants t where t.id = lines.tenant_id)
        when 'key' then lines.key_id::text
        when 'user' then lines.user_hash
        when 'model' then lines.model
        when 'task' then lines.task
        when 'mode' then lines.mode::text
        when 'day' then to_char(lines.created_at at time zone zone, 'YYYY-MM-DD')
        -- The instant at which an hour of the clock there began: in autumn there are two of one name.
        when 'hour' then to_char(date_trunc('hour', lines.created_at, zone) at time zone 'UTC', instant)
        else case when d.dimension like 'tag:%' then lines.tags ->> substr(d.dimension, 5) end
      end
      where d.dimension <> 'tag' or lines.tags = '{}'
    ) as v
  ), ranked as (
    select v.dimension, v.value, sum(v.requests) as requests, sum(v.calls) as calls, sum(v.cost_usd) as cost_usd,
      sum(v.unpriced_calls) as unpriced_calls, sum(v.estimated_calls) as estimated_calls,
      sum(v.input_tokens) as input_tokens, sum(v.output_tokens) as output_tokens, sum(v.hits) as hits,
      sum(v.saved_usd) as saved_usd,
      case when v.dimension in ('day', 'hour') then 0
        else row_number() over (partition by v.dimension order by sum(v.cost_usd) desc, sum(v.saved_usd) desc, v.value)
      end as place
    from valued v
    group by v.dimension, v.value
  ), shown as (
    select r.dimension, case when r.place <= top then r.value end as value, least(r.place, top + 1) as place,
      case when min(r.place) > top then count(*) else 0 end as others,
      jsonb_build_object(
        'requests', sum(r.requests), 'calls', sum(r.calls), 'cost_usd', round(sum(r.cost_usd), 9)::text,
        'unpriced_calls', sum(r.unpriced_calls), 'estimated_calls', sum(r.estimated_calls),
        'input_tokens', sum(r.input_tokens), 'output_tokens', sum(r.output_tokens), 'cache_hits', sum(r.hits),
        'saved_by_cache_usd', round(sum(r.saved_usd), 9)::text) as sums
    from ranked r
    group by 1, 2, 3
  )
  select coalesce(jsonb_object_agg(s.dimension, s.rows), '{}') into found
  from (
    select shown.dimension, jsonb_agg(
      jsonb_build_object('value', shown.value, 'others', shown.others) || shown.sums
      order by shown.place, shown.value) as rows
    from shown group by shown.dimension
  ) as s;

  return jsonb_build_object(
    'tenant', (select t.name from public.tenants t where t.id = of_tenant), 'time_zone', zone, 'first_day', first_one, 'last_day', last_one,
    'starts_at', to_char(starts_at at time zone 'UTC', instant), 'ends_at', to_char(ends_at at time zone 'UTC', instant),
    'sums', found,
    'before', jsonb_build_object(
      'starts_at', to_char(before_starts at time zone 'UTC', instant),
      'ends_at', to_char(before_ends at time zone 'UTC', instant),
      'cost_usd', (
        select round(coalesce(sum(l.cost_usd), 0), 9)::text
        from public.tenants t join public.ledger l on l.tenant_id = t.id
          and l.created_at >= before_starts and l.created_at < before_ends
        where l.source = 'gateway' and (of_tenant is null or t.id = of_tenant))),
    'baselines', (
      select coalesce(jsonb_agg(to_jsonb(b) order by b.model), '[]')
      from (
        select l.baseline_model as model, count(*) as requests, round(sum(l.cost_usd), 9)::text as cost_usd,
          round(sum(l.baseline_usd), 9)::text as baseline_usd,
          round(sum(l.baseline_usd) - sum(l.cost_usd), 9)::text as saved_usd
        from public.tenants t join public.ledger l on l.tenant_id = t.id
          and l.created_at >= starts_at and l.created_at < ends_at
        where l.baseline_model is not null and l.source = 'gateway' and (of_tenant is null or t.id = of_tenant)
        group by l.baseline_model
      ) as b));
end;
$$;

-- What was spent in the slots (of whole minutes) that ended before `as_of`, those without spend left out, as pairs of the
-- slot's number and dollars; and where the day and the month of the tenant's time zone stand.
create function public.spend_history(
  of_tenant uuid,
  days integer,
  slot_minutes integer,
  as_of timestamptz default now()
)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
set plan_cache_mode = 'force_custom_plan'
set statement_timeout = '20s'
as $$
declare
  zone constant text := coalesce((select t.time_zone from public.tenants t where t.id = of_tenant), 'UTC');
  here constant timestamp := as_of at time zone zone;
  slot constant interval := make_interval(mins => slot_minutes);
  ends_at constant timestamptz := date_bin(slot, as_of, 'epoch'::timestamptz);
  starts_at constant timestamptz := ends_at - make_interval(hours => 24 * least(days, 200));
  day_starts constant timestamptz := date_trunc('day', here) at time zone zone;
  month_starts constant timestamptz := date_trunc('month', here) at time zone zone;
begin
  return jsonb_build_object(
    'slots', (extract(epoch from ends_at - starts_at) / (60 * slot_minutes))::integer,
    'spent', (
      select coalesce(jsonb_agg(jsonb_build_array(s.number, s.usd) order by s.number), '[]')
      from (
        select floor(extract(epoch from l.created_at - starts_at) / (60 * slot_minutes))::integer as number,
          sum(l.cost_usd) as usd
        from public.tenants t join public.ledger l on l.tenant_id = t.id
          and l.created_at >= starts_at and l.created_at < ends_at
        where l.source = 'gateway' and l.cost_usd > 0 and (of_tenant is null or t.id = of_tenant)
        group by 1
      ) as s),
    'day', jsonb_build_object(
      'ends_at', (date_trunc('day', here) + interval '1 day') at time zone zone,
      'spent_usd', (
        select round(coalesce(sum(l.cost_usd), 0), 9)::text
        from public.tenants t join public.ledger l on l.tenant_id = t.id
          and l.created_at >= day_starts and l.created_at < as_of
        where l.source = 'gateway' and (of_tenant is null or t.id = of_tenant))),
    'month', jsonb_build_object(
      'ends_at', (date_trunc('month', here) + interval '1 month') at time zone zone,
      'spent_usd', (
        select round(coalesce(sum(l.cost_usd), 0), 9)::text
        from public.tenants t join public.ledger l on l.tenant_id = t.id
          and l.created_at >= month_starts and l.created_at < as_of
        where l.source = 'gateway' and (of_tenant is null or t.id = of_tenant))));
end;
$$;

revoke execute on function
  public.cost_lines(uuid, timestamptz, timestamptz),
  public.costs(uuid, date, date, text[], timestamptz, integer),
  public.spend_history(uuid, integer, integer, timestamptz)
  from public, anon, authenticated;
grant execute on function
  public.cost_lines(uuid, timestamptz, timestamptz),
  public.costs(uuid, date, date, text[], timestamptz, integer),
  public.spend_history(uuid, integer, integer, timestamptz)
  to service_role;
