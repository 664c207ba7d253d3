-- Budgets are kept of a tenant, too.
create or replace view public.tenant_records with (security_invoker = true) as
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
    from public.dead_letters
  union all
  select tenant_id, null, 'budgets', updated_at, concat_ws('/', key_id, period), to_jsonb(budgets) from public.budgets;

-- As before, with the section of budgets.
create or replace function public.export_page(
  exported_tenant uuid,
  exported_user_hash text default null,
  user_name text default null,
  after_section text default null,
  after_at timestamptz default '-infinity',
  after_id text default '',
  page_rows integer default 1000,
  page_bytes integer default 2000000
)
returns table (section text, at timestamptz, record_id text, record text)
language plpgsql
stable
security invoker
set search_path = ''
-- With the section known, the planner leaves all other tables out.
set plan_cache_mode = 'force_custom_plan'
as $$
declare
  -- All of tenant_records.
  sections constant text[] := array['tenants', 'virtual_keys', 'custom_models', 'model_aliases', 'provider_keys',
    'ml_predictions', 'prediction_texts', 'quality_feedback', 'quality_feedback_history', 'quality_improvements', 'ledger',
    'ledger_attempts', 'prediction_minutes', 'roll_up_hours', 'feedback_hours', 'dead_letters', 'budgets'];
  rows_left integer := least(greatest(page_rows, 1), 10000);
  bytes_left integer := greatest(page_bytes, 1);
  current text;
begin
  foreach current in array sections[coalesce(array_position(sections, after_section), 1):] loop
    if current is distinct from after_section then
      after_at := '-infinity';
      after_id := '';
    end if;
    for section, at, record_id, record in
      select r.section, r.at, r.record_id, r.record::text
      from public.tenant_records r
      where r.tenant_id = exported_tenant
        and r.section = current
        and r.at >= after_at
        and (r.at, r.record_id) > (after_at, after_id)
        and (
          exported_user_hash is null
          or r.user_hash = exported_user_hash
          or (r.section = 'custom_models' and r.record ->> 'user_id' = user_name)
        )
      order by r.at, r.record_id
      limit rows_left
    loop
      return next;
      rows_left := rows_left - 1;
      bytes_left := bytes_left - octet_length(record);
      if rows_left <= 0 or bytes_left <= 0 then
        return;
      end if;
    end loop;
  end loop;
end;
$$;
