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
