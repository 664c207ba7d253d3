-- Everything of one tenant, or of one of its users: to hand over, and to erase. For the service role only.

-- One form for all that is kept of a tenant. Sealed keys, digests and cached answers (which only the gateway can open)
-- are not part of it.
create view public.tenant_records with (security_invoker = true) as
  select id as tenant_id, null::text as user_hash, 'tenants' as section, created_at as at, id::text as record_id,
    to_jsonb(tenants) as record from public.tenants
  union all
  select tenant_id, null, 'virtual_keys', created_at, id::text, to_jsonb(virtual_keys) - 'digest'
    from public.virtual_keys
  union all
  select tenant_id, null, 'custom_models', created_at, id::text, to_jsonb(custom_model_overview)
    from public.custom_model_overview
  union all
  select tenant_id, null, 'model_aliases', created_at, id::text, to_jsonb(model_aliases) from public.model_aliases
  union all
  select tenant_id, null, 'provider_keys', created_at, id::text,
    to_jsonb(provider_keys) - array['api_key_encrypted', 'api_key_iv'] from public.provider_keys
  union all
  select tenant_id, user_hash, 'ml_predictions', created_at, id::text, to_jsonb(ml_predictions)
    from public.ml_predictions
  union all
  select x.tenant_id, p.user_hash, 'prediction_texts', x.created_at, x.prediction_id::text, to_jsonb(x)
    from public.prediction_texts x left join public.ml_predictions p on p.id = x.prediction_id
  union all
  select f.tenant_id, p.user_hash, 'quality_feedback', f.received_at, f.prediction_id::text || '/' || f.source,
    to_jsonb(f)
    from public.quality_feedback f
    left join public.ml_predictions p on p.id = f.prediction_id and p.tenant_id = f.tenant_id
  union all
  select h.tenant_id, p.user_hash, 'quality_feedback_history', h.received_at, h.id::text, to_jsonb(h)
    from public.quality_feedback_history h
    left join public.ml_predictions p on p.id = h.prediction_id and p.tenant_id = h.tenant_id
  union all
  select tenant_id, null, 'quality_improvements', decided_at, id::text, to_jsonb(quality_improvements)
    from public.quality_improvements
  union all
  select tenant_id, null, 'ledger', created_at, prediction_id::text, to_jsonb(ledger) from public.ledger
  union all
  select tenant_id, null, 'ledger_attempts', created_at, prediction_id::text || '/' || attempt,
    to_jsonb(ledger_attempts) from public.ledger_attempts
  union all
  select tenant_id, null, 'prediction_minutes', starts_at, id::text, to_jsonb(prediction_minutes)
    from public.prediction_minutes
  union all
  select tenant_id, null, 'roll_up_hours', starts_at, concat_ws('/', model, provider, outcome, cache, cache_tier,
    cache_match, mode), to_jsonb(roll_up_hours) from public.roll_up_hours
  union all
  select tenant_id, null, 'feedback_hours', starts_at, concat_ws('/', model, provider, mode, source),
    to_jsonb(feedback_hours) from public.feedback_hours
  union all
  select tenant_id, record -> 'row' ->> 'user_hash', 'dead_letters', buried_at, id::text, to_jsonb(dead_letters)
    from public.dead_letters;

revoke all on public.tenant_records from anon, authenticated;
grant select on public.tenant_records to service_role;

-- A page of it. The next one follows when the last row's section, at and record_id are given back.
create function public.export_tenant(
  exported_tenant uuid,
  only_section text default null,
  after_section text default '',
  after_at timestamptz default '-infinity',
  after_id text default '',
  batch_rows integer default 1000
)
returns table (section text, at timestamptz, record_id text, record jsonb)
language sql
stable
security invoker
set search_path = ''
as $$
  select r.section, r.at, r.record_id, r.record
  from public.tenant_records r
  where r.tenant_id = exported_tenant
    and (only_section is null or r.section = only_section)
    and (r.section, r.at, r.record_id) > (after_section, after_at, after_id)
  order by r.section, r.at, r.record_id
  limit least(greatest(batch_rows, 1), 10000)
$$;

-- The same for one user, by the keyed hash of the request's `user` field that predictions carry.
create function public.export_user(
  exported_tenant uuid,
  exported_user_hash text,
  after_section text default '',
  after_at timestamptz default '-infinity',
  after_id text default '',
  batch_rows integer default 1000
)
returns table (section text, at timestamptz, record_id text, record jsonb)
language sql
stable
security invoker
set search_path = ''
as $$
  select r.section, r.at, r.record_id, r.record
  from public.tenant_records r
  where r.tenant_id = exported_tenant
    and r.user_hash = exported_user_hash
    and (r.section, r.at, r.record_id) > (after_section, after_at, after_id)
  order by r.section, r.at, r.record_id
  limit least(greatest(batch_rows, 1), 10000)
$$;

-- Erases one user, at most `batch_rows` predictions a call: call it until it says 0. The requests stay counted, as
-- requests of nobody; so do the ratings, under ids that lead nowhere. `user_name` is how custom models name the user.
create function public.erase_user(
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
  delete from public.ml_predictions where id = any (doomed);
  return cardinality(doomed);
end;
$$;

-- Erases one tenant, at most `batch_rows` of each kind a call: call it until it says `tenants` 1. From the first call on
-- its keys are revoked; after the last one nothing can be stored for it. What stays are its totals by the hour, under
-- an id without a name.
create function public.erase_tenant(erased_tenant uuid, batch_rows integer default 5000)
returns table (section text, removed integer)
language plpgsql
security invoker
set search_path = ''
as $$
declare
  bound constant integer := least(greatest(batch_rows, 1), 50000);
begin
  if erased_tenant = '00000000-0000-4000-a000-000000000000' then
    raise exception 'the system tenant holds the public models and cannot be erased' using errcode = 'check_violation';
  end if;

  if exists (select from public.tenants where id = erased_tenant and predictions_pruned_before < 'infinity') then
    -- The last minutes, before roll-ups leave the tenant alone.
    perform public.roll_up(now() - interval '1 hour', now() + interval '1 minute');
    update public.virtual_keys set revoked_at = coalesce(revoked_at, now()) where tenant_id = erased_tenant;
    update public.tenants
    set predictions_pruned_before = 'infinity', feedback_pruned_before = 'infinity', keeps_text = false
    where id = erased_tenant;
  end if;

  return query
  with texts as (
    delete from public.prediction_texts where ctid = any (array(
      select x.ctid from public.prediction_texts x where x.tenant_id = erased_tenant limit bound)) returning 1
  ),
  predictions as (
    delete from public.ml_predictions where ctid = any (array(
      select x.ctid from public.ml_predictions x where x.tenant_id = erased_tenant limit bound)) returning 1
  ),
  history as (
    delete from public.quality_feedback_history where ctid = any (array(
      select x.ctid from public.quality_feedback_history x where x.tenant_id = erased_tenant limit bound)) returning 1
  ),
  feedback as (
    delete from public.quality_feedback where ctid = any (array(
      select x.ctid from public.quality_feedback x where x.tenant_id = erased_tenant limit bound)) returning 1
  ),
  folded as (
    delete from public.prediction_minutes where ctid = any (array(
      select x.ctid from public.prediction_minutes x where x.tenant_id = erased_tenant limit bound)) returning 1
  ),
  minutes as (
    delete from public.roll_up_minutes where ctid = any (array(
      select x.ctid from public.roll_up_minutes x where x.tenant_id = erased_tenant limit bound)) returning 1
  ),
  attempts as (
    delete from public.ledger_attempts where ctid = any (array(
      select x.ctid from public.ledger_attempts x where x.tenant_id = erased_tenant limit bound)) returning 1
  ),
  requests as (
    delete from public.ledger where ctid = any (array(
      select x.ctid from public.ledger x where x.tenant_id = erased_tenant limit bound)) returning 1
  ),
  letters as (
    delete from public.dead_letters where ctid = any (array(
      select x.ctid from public.dead_letters x where x.tenant_id = erased_tenant limit bound)) returning 1
  ),
  answers as (
    delete from public.llm_cache where ctid = any (array(
      select x.ctid from public.llm_cache x where x.tenant_id = erased_tenant limit bound)) returning 1
  )
  select 'prediction_texts', count(*)::integer from texts
  union all select 'ml_predictions', count(*)::integer from predictions
  union all select 'quality_feedback_history', count(*)::integer from history
  union all select 'quality_feedback', count(*)::integer from feedback
  union all select 'prediction_minutes', count(*)::integer from folded
  union all select 'roll_up_minutes', count(*)::integer from minutes
  union all select 'ledger_attempts', count(*)::integer from attempts
  union all select 'ledger', count(*)::integer from requests
  union all select 'dead_letters', count(*)::integer from letters
  union all select 'llm_cache', count(*)::integer from answers;

  -- Its row, and with it models, aliases, keys and improvements, of which there are few.
  delete from public.tenants where id = erased_tenant
    and not exists (select from public.prediction_texts where tenant_id = erased_tenant)
    and not exists (select from public.ml_predictions where tenant_id = erased_tenant)
    and not exists (select from public.quality_feedback_history where tenant_id = erased_tenant)
    and not exists (select from public.quality_feedback where tenant_id = erased_tenant)
    and not exists (select from public.prediction_minutes where tenant_id = erased_tenant)
    and not exists (select from public.roll_up_minutes where tenant_id = erased_tenant)
    and not exists (select from public.ledger_attempts where tenant_id = erased_tenant)
    and not exists (select from public.ledger where tenant_id = erased_tenant)
    and not exists (select from public.dead_letters where tenant_id = erased_tenant)
    and not exists (select from public.llm_cache where tenant_id = erased_tenant);
  get diagnostics removed = row_count;
  section := 'tenants';
  return next;
end;
$$;

revoke execute on function
  public.export_tenant(uuid, text, text, timestamptz, text, integer),
  public.export_user(uuid, text, text, timestamptz, text, integer),
  public.erase_user(uuid, text, text, integer),
  public.erase_tenant(uuid, integer)
  from public, anon, authenticated;
grant execute on function
  public.export_tenant(uuid, text, text, timestamptz, text, integer),
  public.export_user(uuid, text, text, timestamptz, text, integer),
  public.erase_user(uuid, text, text, integer),
  public.erase_tenant(uuid, integer)
  to service_role;
