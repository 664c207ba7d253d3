-- What an operator has turned off. Gateways hold copies, at most 90 s old.

create table public.switches (
  kind text not null check (kind in ('cache', 'model', 'provider', 'tenant')),
  -- Of a tenant its name: a switch may not keep a tenant from being erased, nor be part of what it is given.
  name text not null check (length(name) between 1 and 300),
  note text not null check (length(note) between 1 and 500),
  thrown_by text not null check (length(thrown_by) between 1 and 100),
  thrown_at timestamptz not null default now(),
  -- From then on it is on again; null = until somebody turns it on.
  until timestamptz,
  primary key (kind, name)
);

alter table public.switches enable row level security;
alter table public.switches force row level security;

revoke all on public.switches from anon, authenticated;
grant select, insert, update, delete on public.switches to service_role;

-- A name that is taken anew must not be off from the start.
create function public.forget_switch_of_tenant()
returns trigger
language plpgsql
security invoker
set search_path = ''
as $$
begin
  delete from public.switches where kind = 'tenant' and name = old.name;
  return null;
end;
$$;

create trigger forget_switch_of_tenant after delete on public.tenants
  for each row execute function public.forget_switch_of_tenant();

revoke execute on function public.forget_switch_of_tenant() from public, anon, authenticated;
