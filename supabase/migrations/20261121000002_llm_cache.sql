-- The third cache tier (L3). Values are sealed before they arrive: the database cannot read them.

create table public.llm_cache (
  -- HMAC of the whole request under the root key, base64url: unique over tenants by construction.
  key text primary key check (length(key) = 43),
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  sealed text not null,
  bytes integer not null check (bytes > 0),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);

create index llm_cache_tenant_created on public.llm_cache (tenant_id, created_at desc);
create index llm_cache_expires_at on public.llm_cache (expires_at);

alter table public.llm_cache enable row level security;
alter table public.llm_cache force row level security;

revoke all on public.llm_cache from anon, authenticated;
grant select, insert, update, delete on public.llm_cache to service_role;

-- Removes what has expired and, per tenant, what lies beyond its newest `max_entries` rows.
create function public.prune_llm_cache(max_entries integer)
returns integer
language sql
security invoker
set search_path = ''
as $$
  with doomed as (
    select key from public.llm_cache where expires_at <= now()
    union all
    select key from (
      select key, row_number() over (partition by tenant_id order by created_at desc, key) as place
      from public.llm_cache
      where expires_at > now()
    ) live
    where place > max_entries
  ), removed as (
    delete from public.llm_cache where key in (select key from doomed) returning 1
  )
  select count(*)::integer from removed;
$$;

revoke execute on function public.prune_llm_cache(integer) from public, anon, authenticated;
grant execute on function public.prune_llm_cache(integer) to service_role;
