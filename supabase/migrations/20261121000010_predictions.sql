-- Who records and who reads, how long it is kept, and one row for every inference. No function here runs text as SQL,
-- and none needs the rights of its owner.

-- Roles of the workers, without BYPASSRLS: what they may do is what the policies say. A request takes one of them
-- through the claim `role` of its token, as it takes anon or authenticated (docs/database.md).
do $$
begin
  if not exists (select from pg_roles where rolname = 'beast_recorder') then
    create role beast_recorder nologin noinherit;
  end if;
  if not exists (select from pg_roles where rolname = 'beast_reader') then
    create role beast_reader nologin noinherit;
  end if;
  -- The role that a hosted project's REST surface logs in as; the embedded one has none.
  if exists (select from pg_roles where rolname = 'authenticator') then
    grant beast_recorder, beast_reader to authenticator;
  end if;
end $$;

grant usage on schema public to beast_recorder, beast_reader;

-- The tenant of whoever asks. Both claims are set by who signs the token or by the project's own admin interface;
-- user_metadata, which a user may edit, has no say. Anything but a UUID is nobody.
create function public.caller_tenant()
returns uuid
language sql
stable
security invoker
set search_path = ''
as $$
  select case
    when claim ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' then claim::uuid
  end
  from (
    select coalesce(claims ->> 'tenant_id', claims -> 'app_metadata' ->> 'tenant_id') as claim
    from (select nullif(current_setting('request.jwt.claims', true), '')::jsonb as claims) as token
  ) as told;
$$;

revoke execute on function public.caller_tenant() from public, anon, authenticated;
grant execute on function public.caller_tenant() to authenticated, service_role, beast_recorder, beast_reader;

alter table public.tenants
  -- Whether prompts and answers are kept as text; otherwise only features and hashes are.
  add column keeps_text boolean not null default false,
  add column retention_days integer not null default 90 check (retention_days between 1 and 730),
  add column text_retention_days integer not null default 30 check (text_retention_days between 1 and 730),
  add column feedback_retention_days integer not null default 365 check (feedback_retention_days between 1 and 1825),
  add column ledger_retention_days integer not null default 400 check (ledger_retention_days between 30 and 3650),
  -- Set by prune_expired. What lies before it may be gone in part, so roll-ups of that time are never made anew.
  add column predictions_pruned_before timestamptz not null default '-infinity',
  add column feedback_pruned_before timestamptz not null default '-infinity',
  add check (text_retention_days <= retention_days);

create policy members_read on public.tenants for select to authenticated
  using (id = (select public.caller_tenant()));
create policy recorder_reads on public.tenants for select to beast_recorder using (true);
grant select on public.tenants to authenticated;
grant select (id, keeps_text, predictions_pruned_before, feedback_pruned_before) on public.tenants to beast_recorder;

create policy reader_reads on public.llm_cache for select to beast_reader using (expires_at > now());
grant select on public.llm_cache to beast_reader;

create table public.ml_predictions (
  -- A UUID of version 7 made by the gateway, the same as in the header x-beast-prediction: inserting twice is once.
  id uuid primary key check (substr(id::text, 15, 1) = '7'),
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  key_id uuid,
  request_id text not null check (length(request_id) between 1 and 128),
  -- Keyed hash of the request's `user` field.
  user_hash text check (length(user_hash) = 43),
  -- When the request arrived at the gateway, and when its row arrived here.
  created_at timestamptz not null,
  stored_at timestamptz not null default now(),
  -- What was asked for; null where the request broke off before that was clear.
  route text check (length(route) between 1 and 512),
  -- What answered, whether now or when the answer was cached; null = nothing did.
  model text check (length(model) between 1 and 512),
  provider text check (length(provider) between 1 and 128),
  stream boolean not null default false,
  outcome text not null check (outcome in ('success', 'client_error', 'error', 'cancelled')),
  error_code text check (length(error_code) between 1 and 64),
  cache text not null default 'none' check (cache in ('hit', 'miss', 'bypass', 'none')),
  cache_tier text check (cache_tier in ('memory', 'kv', 'redis', 'supabase')),
  cache_match text check (cache_match in ('exact', 'semantic')),
  -- The prediction whose answer a hit repeats.
  cached_prediction_id uuid,
  task text check (length(task) between 1 and 64),
  mode smallint check (mode between 1 and 4),
  -- Of the code in the request.
  language text check (length(language) between 1 and 64),
  input_tokens integer check (input_tokens >= 0),
  output_tokens integer check (output_tokens >= 0),
  -- Counted by us, because the provider did not say.
  tokens_estimated boolean not null default false,
  cost_usd numeric not null default 0 check (cost_usd between 0 and 1000000),
  -- By a hit, or by a cheaper choice.
  saved_usd numeric not null default 0 check (saved_usd between 0 and 1000000),
  total_ms double precision not null check (total_ms between 0 and 1e9),
  upstream_ms double precision check (upstream_ms between 0 and 1e9),
  first_byte_ms double precision check (first_byte_ms between 0 and 1e9),
  attempts smallint not null default 0 check (attempts >= 0),
  -- What selection expected of the model that answered, 0 to 1.
  predicted_quality double precision check (predicted_quality between 0 and 1),
  -- Candidates, scores, reasons.
  decision jsonb check (jsonb_typeof(decision) = 'object' and octet_length(decision::text) <= 32768),
  -- Numbers, flags and short names; nothing long enough to be text.
  features jsonb not null default '{}' check (
    jsonb_typeof(features) = 'object'
    and octet_length(features::text) <= 8192
    and not jsonb_path_exists(features, '$.** ? (@.type() == "string" && @ like_regex "^.{65}" flag "s")')
  ),
  prompt_hash text check (length(prompt_hash) = 43),
  answer_hash text check (length(answer_hash) = 43)
);

-- For policies, dashboards and retention; for roll-ups, which follow what arrived; for erasing one user.
create index ml_predictions_tenant_created on public.ml_predictions (tenant_id, created_at);
create index ml_predictions_stored on public.ml_predictions (stored_at);
create index ml_predictions_user on public.ml_predictions (tenant_id, user_hash) where user_hash is not null;

-- Apart from the predictions, so that text has a policy and a life of its own, and a row never waits for it.
create table public.prediction_texts (
  prediction_id uuid primary key,
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  created_at timestamptz not null,
  prompt text check (octet_length(prompt) <= 1048576),
  answer text check (octet_length(answer) <= 1048576)
);

create index prediction_texts_tenant_created on public.prediction_texts (tenant_id, created_at);

-- In the database, so that no mistake upstream can keep text that a tenant does not want kept. The row is left out, not
-- refused: a tenant that opts out while rows are under way must not send them, text and all, to a dead-letter queue.
create function public.leave_out_unwanted_text()
returns trigger
language plpgsql
security invoker
set search_path = ''
as $$
begin
  if exists (select from public.tenants where id = new.tenant_id and keeps_text) then
    return new;
  end if;
  return null;
end;
$$;

revoke execute on function public.leave_out_unwanted_text() from public, anon, authenticated;

create trigger leave_out_unwanted_text before insert or update on public.prediction_texts
  for each row execute function public.leave_out_unwanted_text();

alter table public.ml_predictions enable row level security;
alter table public.ml_predictions force row level security;
alter table public.prediction_texts enable row level security;
alter table public.prediction_texts force row level security;

revoke all on public.ml_predictions, public.prediction_texts from anon, authenticated;
grant select on public.ml_predictions, public.prediction_texts to authenticated;
grant select, insert, update, delete on public.ml_predictions, public.prediction_texts to service_role;
grant select, insert on public.ml_predictions to beast_recorder;
-- The id alone, which `on conflict do nothing` has to look at.
grant select (prediction_id), insert on public.prediction_texts to beast_recorder;

create policy members_read on public.ml_predictions for select to authenticated
  using (tenant_id = (select public.caller_tenant()));
create policy recorder_reads on public.ml_predictions for select to beast_recorder using (true);
create policy recorder_adds on public.ml_predictions for insert to beast_recorder with check (true);

create policy members_read on public.prediction_texts for select to authenticated
  using (
    tenant_id = (select public.caller_tenant())
    and (select keeps_text from public.tenants where id = (select public.caller_tenant()))
  );
create policy recorder_reads on public.prediction_texts for select to beast_recorder using (true);
create policy recorder_adds on public.prediction_texts for insert to beast_recorder with check (true);
