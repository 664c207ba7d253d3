-- What callers call their costs by: {"team": "search"}. Of a prediction and of its row in the ledger, which outlives it.
alter table public.ml_predictions add column tags jsonb not null default '{}' check (
  jsonb_typeof(tags) = 'object'
  and octet_length(tags::text) <= 2048
  and not jsonb_path_exists(tags, '$.* ? (@.type() != "string")')
);
alter table public.ledger
  add column tags jsonb not null default '{}' check (
    jsonb_typeof(tags) = 'object'
    and octet_length(tags::text) <= 2048
    and not jsonb_path_exists(tags, '$.* ? (@.type() != "string")')
  ),
  -- What the same tokens would have cost on the model that the operator compares with; null = nothing to compare.
  add column baseline_model text check (length(baseline_model) between 1 and 512),
  add column baseline_usd numeric check (baseline_usd between 0 and 1000000),
  add check (num_nulls(baseline_model, baseline_usd) <> 1);

create index ml_predictions_tags on public.ml_predictions using gin (tags jsonb_path_ops);
create index ledger_tags on public.ledger using gin (tags jsonb_path_ops);

-- Whose day a cost counts in. Postgres refuses names that it does not know; the gateway, those that are none of IANA's.
alter table public.tenants add column time_zone text not null default 'UTC'
  check (length(time_zone) between 1 and 64 and 'epoch'::timestamptz at time zone time_zone is not null);

-- The ledger names no user, and a tag may: with a user go the tags of its requests.
create or replace function public.erase_user(
  erased_tenant uuid,
  erased_user_hash text,
  user_name text default null,
  batch_rows integer default 1000
)
returns integer
language plpgsql
security invoker
set search_path = ''
as $$
declare
  doomed uuid[];
begin
  update public.custom_models set user_id = null where tenant_id = erased_tenant and user_id = user_name;

  delete from public.dead_letters
  where tenant_id = erased_tenant and record -> 'row' ->> 'user_hash' = erased_user_hash;

  select array_agg(id) into doomed from (
    select id from public.ml_predictions
    where tenant_id = erased_tenant and user_hash = erased_user_hash
    limit least(greatest(batch_rows, 1), 10000)
    for update
  ) as picked;
  if doomed is null then
    return 0;
  end if;

  insert into public.prediction_minutes
  select gen_random_uuid(), now(), tenant_id, date_trunc('minute', created_at), coalesce(mode, 0::smallint),
    coalesce(model, 'none'), coalesce(provider, 'none'), outcome, cache, coalesce(cache_tier, 'none'),
    coalesce(cache_match, 'none'), 1, stream::integer, coalesce(input_tokens, 0), coalesce(output_tokens, 0),
    tokens_estimated::integer, cost_usd, saved_usd, total_ms, coalesce(upstream_ms, 0), coalesce(first_byte_ms, 0),
    public.latency_buckets(array[total_ms]),
    public.latency_buckets(array[upstream_ms]),
    public.latency_buckets(array[first_byte_ms])
  from public.ml_predictions where id = any (doomed);

  delete from public.prediction_texts where tenant_id = erased_tenant and prediction_id = any (doomed);
  delete from public.quality_feedback_history where tenant_id = erased_tenant and prediction_id = any (doomed);
  -- An empty correction still counts as one.
  update public.quality_feedback f
  set prediction_id = other.id, correction = left(correction, 0), tags = '{}'
  from (select prediction_id, gen_random_uuid() as id from unnest(doomed) as prediction_id) as other
  where f.tenant_id = erased_tenant and f.prediction_id = other.prediction_id;
  update public.ledger set tags = '{}'
  where tenant_id = erased_tenant and prediction_id = any (doomed) and tags <> '{}';
  delete from public.ml_predictions where id = any (doomed);
  return cardinality(doomed);
end;
$$;

-- What arrives of a user only after its erasure has no tags either.
create or replace function public.disown_erased_user()
returns trigger
language plpgsql
security invoker
set search_path = ''
as $$
begin
  if exists (
    select from public.erasures
    where tenant_id = new.tenant_id and user_hash = new.user_hash and erased_at >= new.created_at
  ) then
    new.user_hash := null;
    new.tags := '{}';
  end if;
  return new;
end;
$$;

-- With the tags, and with what was compared.
create or replace function public.add_to_ledger(booked jsonb)
returns void
language sql
security invoker
set search_path = ''
as $$
  with row as materialized (
    select distinct on (prediction_id) *
    from rows from (jsonb_to_recordset(booked) as (
      prediction_id uuid, tenant_id uuid, key_id uuid, created_at timestamptz, settled_as text, cost_usd numeric,
      unpriced boolean, tags jsonb, baseline_model text, baseline_usd numeric, tenant text, mode smallint, shares jsonb
    )) with ordinality as r (
      prediction_id, tenant_id, key_id, created_at, settled_as, cost_usd, unpriced, tags, baseline_model, baseline_usd,
      tenant, mode, shares, place
    )
    order by prediction_id, place
  ), new as (
    insert into public.ledger (
      prediction_id, tenant_id, key_id, created_at, settled_as, cost_usd, unpriced, tags, baseline_model, baseline_usd
    )
    select
      prediction_id, tenant_id, key_id, created_at, settled_as, cost_usd, unpriced, coalesce(tags, '{}'), baseline_model,
      baseline_usd
    from row
    on conflict (prediction_id) do nothing
    returning prediction_id
  )
  insert into public.cost_counts (tenant, mode, provider, model, spent_usd)
  select row.tenant, row.mode, share.provider, share.model, sum(share.usd)
  from new
  join row on row.prediction_id = new.prediction_id
  cross join jsonb_to_recordset(row.shares) as share (provider text, model text, usd numeric)
  group by 1, 2, 3, 4
$$;
