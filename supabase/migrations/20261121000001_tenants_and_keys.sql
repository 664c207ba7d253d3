-- Who may call: tenants and their virtual keys. Workers reach these tables with the service role;
-- nobody else has a policy, so anon and authenticated see nothing.

create table public.tenants (
  id uuid primary key default gen_random_uuid(),
  name text not null unique check (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
  plan text not null default 'free' check (plan in ('free', 'paid')),
  -- A new epoch makes every cached answer of the tenant unreadable: that is how a tenant is purged.
  epoch integer not null default 1 check (epoch > 0),
  cache_policy text not null default 'all' check (cache_policy in ('all', 'deterministic', 'none')),
  -- Whether the request's `user` field separates cached answers (the default) or is shared by all users.
  cache_by_user boolean not null default true,
  created_at timestamptz not null default now()
);

create table public.virtual_keys (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  -- HMAC-SHA-256 of the key under the pepper, base64url. The key itself is shown once and never stored.
  digest text not null unique check (length(digest) = 43),
  -- The last four characters, so that a person can tell keys apart in a list.
  hint text not null check (length(hint) = 4),
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz
);

create index virtual_keys_tenant_id on public.virtual_keys (tenant_id);

alter table public.tenants enable row level security;
alter table public.tenants force row level security;
alter table public.virtual_keys enable row level security;
alter table public.virtual_keys force row level security;

revoke all on public.tenants, public.virtual_keys from anon, authenticated;
grant select, insert, update, delete on public.tenants, public.virtual_keys to service_role;
