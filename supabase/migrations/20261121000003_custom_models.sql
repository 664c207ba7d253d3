-- What a tenant adds to the gateway: models at endpoints of its own, names for sets of models, keys of its own for
-- providers. Workers reach these tables with the service role; nobody else has a right or a policy, so anon and
-- authenticated see nothing, and only the workers, which check for the operator, can make a model public.

create table public.custom_models (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  -- Called as custom:{model_id}. Unique within a tenant only: nobody can block or detect another's names.
  model_id text not null check (model_id ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
  model_name text not null check (length(model_name) between 1 and 120),
  -- Null: served by one of the operator's own providers, as config.upstream says ("{provider}:{model}"; null = the
  -- first model of the first one), so that the system models below work wherever anything is configured.
  endpoint_url text check (length(endpoint_url) between 8 and 2048),
  provider text not null default 'openai-compatible' check (provider ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
  wire_format text not null default 'openai' check (wire_format in ('openai', 'anthropic', 'gemini', 'workers-ai')),
  is_active boolean not null default true,
  is_public boolean not null default false,
  -- Whoever in the tenant added it, in the tenant's own words. Rights go by tenant.
  user_id text check (length(user_id) between 1 and 128),
  config jsonb not null default '{}' check (jsonb_typeof(config) = 'object' and octet_length(config::text) <= 16384),
  -- An envelope: v2.kid.wrappedKey.ciphertext. Bound to this row's id and tenant, so it opens nowhere else.
  api_key_encrypted text check (length(api_key_encrypted) between 1 and 16384),
  api_key_iv text check (length(api_key_iv) = 16),
  -- The last four characters, so that a person can tell keys apart.
  api_key_hint text check (length(api_key_hint) = 4),
  -- With the id, part of every cache key: raised below on each change that answers depend on.
  revision integer not null default 1 check (revision > 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (tenant_id, model_id),
  check ((api_key_encrypted is null) = (api_key_iv is null))
);

create index custom_models_public on public.custom_models (created_at, id) where is_public;

create table public.model_aliases (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  name text not null check (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
  kind text not null check (kind in ('weighted', 'fallback')),
  -- [{"model": "...", "weight": 1}], in the order of trying.
  targets jsonb not null check (
    jsonb_typeof(targets) = 'array'
    and jsonb_array_length(targets) between 1 and 16
    and octet_length(targets::text) <= 16384
  ),
  revision integer not null default 1 check (revision > 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (tenant_id, name)
);

create table public.provider_keys (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  provider text not null check (provider ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
  base_url text not null check (length(base_url) between 8 and 2048),
  wire_format text not null check (wire_format in ('openai', 'anthropic', 'gemini', 'workers-ai')),
  api_key_encrypted text not null check (length(api_key_encrypted) between 1 and 16384),
  api_key_iv text not null check (length(api_key_iv) = 16),
  api_key_hint text check (length(api_key_hint) = 4),
  revision integer not null default 1 check (revision > 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (tenant_id, provider)
);

-- In the database, so that a change by hand makes caches miss as well.
create function public.raise_revision()
returns trigger
language plpgsql
security invoker
set search_path = ''
as $$
declare
  -- What answers do not depend on. A key that was only wrapped anew keeps its IV; another key has another one.
  aside constant text[] := array['revision', 'updated_at', 'model_name', 'is_active', 'is_public', 'user_id',
    'api_key_encrypted', 'api_key_hint'];
begin
  new.revision := old.revision
    + case when to_jsonb(new) - aside is distinct from to_jsonb(old) - aside then 1 else 0 end;
  return new;
end;
$$;

-- In the database, because only here can requests that come together not each be the last that fits.
create function public.bound_rows_of_tenant()
returns trigger
language plpgsql
security invoker
set search_path = ''
as $$
declare
  others integer;
begin
  perform 1 from public.tenants where id = new.tenant_id for update;
  -- A row that replaces one of its own name adds none.
  if tg_table_name = 'custom_models' then
    select count(*) into others from public.custom_models
    where tenant_id = new.tenant_id and model_id <> new.model_id;
  elsif tg_table_name = 'model_aliases' then
    select count(*) into others from public.model_aliases
    where tenant_id = new.tenant_id and name <> new.name;
  else
    select count(*) into others from public.provider_keys
    where tenant_id = new.tenant_id and provider <> new.provider;
  end if;
  if others >= tg_argv[0]::integer then
    raise exception 'a tenant has at most % rows in %', tg_argv[0], tg_table_name using errcode = 'check_violation';
  end if;
  return new;
end;
$$;

revoke execute on function public.raise_revision(), public.bound_rows_of_tenant() from public, anon, authenticated;

create trigger raise_revision before update on public.custom_models
  for each row execute function public.raise_revision();
create trigger raise_revision before update on public.model_aliases
  for each row execute function public.raise_revision();
create trigger raise_revision before update on public.provider_keys
  for each row execute function public.raise_revision();

create trigger bound_rows before insert on public.custom_models
  for each row execute function public.bound_rows_of_tenant('100');
create trigger bound_rows before insert on public.model_aliases
  for each row execute function public.bound_rows_of_tenant('100');
create trigger bound_rows before insert on public.provider_keys
  for each row execute function public.bound_rows_of_tenant('20');

alter table public.custom_models enable row level security;
alter table public.custom_models force row level security;
alter table public.model_aliases enable row level security;
alter table public.model_aliases force row level security;
alter table public.provider_keys enable row level security;
alter table public.provider_keys force row level security;

revoke all on public.custom_models, public.model_aliases, public.provider_keys from anon, authenticated;
grant select, insert, update, delete on public.custom_models, public.model_aliases, public.provider_keys to service_role;

-- For dashboards and questions in SQL: everything but the sealed keys, with the rights of whoever asks.
create view public.custom_model_overview with (security_invoker = true) as
  select id, tenant_id, model_id, model_name, endpoint_url, provider, wire_format, is_active, is_public, user_id,
    config, api_key_encrypted is not null as has_api_key, revision, created_at, updated_at
  from public.custom_models;

revoke all on public.custom_model_overview from anon, authenticated;
grant select on public.custom_model_overview to service_role;

-- The public tenant, whose models are the system's. It has no key unless the operator makes one.
insert into public.tenants (id, name, plan) values ('00000000-0000-4000-a000-000000000000', 'beast-system', 'free');

insert into public.custom_models (tenant_id, model_id, model_name, provider, is_public, config)
select '00000000-0000-4000-a000-000000000000', model_id, model_name, 'operator', true, '{"upstream": null}'
from (values
  ('beast-mode-code-generator', 'BEAST MODE code generator'),
  ('beast-mode-quality-analyzer', 'BEAST MODE quality analyzer'),
  ('beast-mode-code-explainer', 'BEAST MODE code explainer')
) as seeded (model_id, model_name);
