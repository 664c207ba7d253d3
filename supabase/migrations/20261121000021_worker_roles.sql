-- A role for each worker that needs the database, without BYPASSRLS: each may do what its worker does, and no more.
-- beast_recorder adds what the queue brings; beast_keeper keeps it in order by cron; beast_reader looks up one cached
-- answer whose key it knows.

do $$
begin
  if not exists (select from pg_roles where rolname = 'beast_keeper') then
    create role beast_keeper nologin noinherit;
  end if;
  if exists (select from pg_roles where rolname = 'authenticator') then
    grant beast_keeper to authenticator;
  end if;
end $$;

-- The REST surface takes this over from the role; what it logs in with allows eight seconds on a hosted project.
alter role beast_keeper set statement_timeout = '60s';

grant usage on schema public to beast_keeper;

-- The recorder: no sums, no sweeps, and of what is there only what its inserts and their triggers look at.

revoke execute on function
  public.roll_up(timestamptz, timestamptz), public.match_feedback(integer), public.caller_tenant(),
  public.latency_buckets(double precision[]), public.merge_buckets(bigint[]),
  public.bucket_quantile(double precision, bigint[]), public.feedback_score(text, smallint)
  from beast_recorder;
revoke execute on function public.caller_tenant() from beast_reader;

revoke select (predictions_pruned_before, feedback_pruned_before) on public.tenants from beast_recorder;

-- Rows show themselves to the triggers, and new ones to the insert that brings them (`on conflict` asks for that):
-- nothing that lies there can be read with the recorder's token.
alter policy recorder_reads on public.tenants using ((select pg_trigger_depth()) > 0);
alter policy recorder_reads on public.ml_predictions using (stored_at = now() or (select pg_trigger_depth()) > 0);
alter policy recorder_reads on public.quality_feedback_history
  using (stored_at = now() or (select pg_trigger_depth()) > 0);
-- Written by its trigger and by nobody else.
alter policy recorder_reads on public.quality_feedback using ((select pg_trigger_depth()) > 0);
alter policy recorder_adds on public.quality_feedback with check ((select pg_trigger_depth()) > 0);
alter policy recorder_amends on public.quality_feedback
  using ((select pg_trigger_depth()) > 0) with check ((select pg_trigger_depth()) > 0);

revoke all on public.roll_up_minutes, public.roll_up_hours, public.feedback_hours from beast_recorder;
drop policy recorder_reads on public.roll_up_minutes;
drop policy recorder_adds on public.roll_up_minutes;
drop policy recorder_renews on public.roll_up_minutes;
drop policy recorder_reads on public.roll_up_hours;
drop policy recorder_adds on public.roll_up_hours;
drop policy recorder_renews on public.roll_up_hours;
drop policy recorder_reads on public.feedback_hours;
drop policy recorder_adds on public.feedback_hours;
drop policy recorder_renews on public.feedback_hours;

revoke select on public.ml_predictions, public.prediction_minutes, public.ledger, public.ledger_attempts
  from beast_recorder;
-- What a rating takes over from its prediction.
grant select (id, tenant_id, model, provider, mode) on public.ml_predictions to beast_recorder;
-- Ids alone, for `on conflict do nothing`.
grant select (id) on public.prediction_minutes to beast_recorder;
grant select (prediction_id) on public.ledger to beast_recorder;
grant select (prediction_id, attempt) on public.ledger_attempts to beast_recorder;

-- The reader: not a table but a look-up. A row shows itself only to who names its tenant and its key, which is a keyed
-- hash of the whole request. Neither can be listed, and the settings are out of a caller's reach: the REST surface
-- lets it set none, and each request has a transaction of its own.
create function public.cached_answer(cached_tenant uuid, cached_key text)
returns text
language plpgsql
security invoker
set search_path = ''
as $$
declare
  answer text;
begin
  perform set_config('beast.cached_tenant', cached_tenant::text, true), set_config('beast.cached_key', cached_key, true);
  select sealed into answer from public.llm_cache
  where key = cached_key and tenant_id = cached_tenant and expires_at > now();
  perform set_config('beast.cached_tenant', '', true), set_config('beast.cached_key', '', true);
  return answer;
end;
$$;

revoke execute on function public.cached_answer(uuid, text) from public, anon, authenticated;
grant execute on function public.cached_answer(uuid, text) to service_role, beast_reader;

drop policy reader_reads on public.llm_cache;
create policy reader_looks_up on public.llm_cache for select to beast_reader
  using (
    key = (select current_setting('beast.cached_key', true))
    and tenant_id = (select nullif(current_setting('beast.cached_tenant', true), '')::uuid)
    and expires_at > now()
  );
revoke select on public.llm_cache from beast_reader;
grant select (key, tenant_id, sealed, expires_at) on public.llm_cache to beast_reader;

-- The keeper: sums up, matches, and lets go of what has had its time. It reads predictions
-- and ratings; no prompt, no answer of a model, no key and no model.

grant execute on function
  public.roll_up(timestamptz, timestamptz), public.match_feedback(integer), public.prune_expired(integer),
  public.prune_llm_cache(integer),
  public.latency_buckets(double precision[]), public.merge_buckets(bigint[]), public.feedback_score(text, smallint)
  to beast_keeper;

grant select (
  id, keeps_text, retention_days, text_retention_days, feedback_retention_days, ledger_retention_days,
  predictions_pruned_before, feedback_pruned_before
), update (predictions_pruned_before, feedback_pruned_before) on public.tenants to beast_keeper;
grant select, delete on public.ml_predictions, public.prediction_minutes to beast_keeper;
grant select (prediction_id, tenant_id, created_at), delete on public.prediction_texts to beast_keeper;
grant select (key, tenant_id, created_at, expires_at), delete on public.llm_cache to beast_keeper;
grant select (prediction_id, tenant_id, created_at), delete on public.ledger to beast_keeper;
grant select (prediction_id, attempt, tenant_id, created_at), delete on public.ledger_attempts to beast_keeper;
grant select (tenant_id, prediction_id, source), delete on public.quality_feedback_history to beast_keeper;
grant select, update (matched_at, changed_at, model, provider, mode), delete on public.quality_feedback to beast_keeper;
grant select, insert, update, delete on public.roll_up_minutes to beast_keeper;
grant select, insert, update on public.roll_up_hours, public.feedback_hours to beast_keeper;

create policy keeper_reads on public.tenants for select to beast_keeper using (true);
create policy keeper_marks on public.tenants for update to beast_keeper using (true) with check (true);

create policy keeper_reads on public.ml_predictions for select to beast_keeper using (true);
create policy keeper_prunes on public.ml_predictions for delete to beast_keeper using (true);
create policy keeper_reads on public.prediction_minutes for select to beast_keeper using (true);
create policy keeper_prunes on public.prediction_minutes for delete to beast_keeper using (true);
create policy keeper_reads on public.prediction_texts for select to beast_keeper using (true);
create policy keeper_prunes on public.prediction_texts for delete to beast_keeper using (true);
create policy keeper_reads on public.llm_cache for select to beast_keeper using (true);
create policy keeper_prunes on public.llm_cache for delete to beast_keeper using (true);
create policy keeper_reads on public.ledger for select to beast_keeper using (true);
create policy keeper_prunes on public.ledger for delete to beast_keeper using (true);
create policy keeper_reads on public.ledger_attempts for select to beast_keeper using (true);
create policy keeper_prunes on public.ledger_attempts for delete to beast_keeper using (true);
create policy keeper_reads on public.quality_feedback_history for select to beast_keeper using (true);
create policy keeper_prunes on public.quality_feedback_history for delete to beast_keeper using (true);

create policy keeper_reads on public.quality_feedback for select to beast_keeper using (true);
create policy keeper_matches on public.quality_feedback for update to beast_keeper using (true) with check (true);
create policy keeper_prunes on public.quality_feedback for delete to beast_keeper using (true);

create policy keeper_reads on public.roll_up_minutes for select to beast_keeper using (true);
create policy keeper_adds on public.roll_up_minutes for insert to beast_keeper with check (true);
create policy keeper_renews on public.roll_up_minutes for update to beast_keeper using (true) with check (true);
create policy keeper_prunes on public.roll_up_minutes for delete to beast_keeper using (true);
create policy keeper_reads on public.roll_up_hours for select to beast_keeper using (true);
create policy keeper_adds on public.roll_up_hours for insert to beast_keeper with check (true);
create policy keeper_renews on public.roll_up_hours for update to beast_keeper using (true) with check (true);
create policy keeper_reads on public.feedback_hours for select to beast_keeper using (true);
create policy keeper_adds on public.feedback_hours for insert to beast_keeper with check (true);
create policy keeper_renews on public.feedback_hours for update to beast_keeper using (true) with check (true);
