-- What tenants and their keys may spend within each day or month, of UTC. Each tenant's account object holds a copy, and is
-- the one that judges.

create table public.budgets (
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  -- Null = all of the tenant's keys together.
  key_id uuid references public.virtual_keys (id) on delete cascade,
  period text not null check (period in ('day', 'month')),
  limit_usd numeric not null check (limit_usd between 0 and 1000000),
  -- A hard one is never passed; of a soft one it is only said that it was.
  is_hard boolean not null,
  updated_at timestamptz not null default now(),
  unique nulls not distinct (tenant_id, key_id, period)
);

create index budgets_key_id on public.budgets (key_id);

alter table public.budgets enable row level security;
alter table public.budgets force row level security;

revoke all on public.budgets from anon, authenticated;
grant select on public.budgets to authenticated;
grant select, insert, update, delete on public.budgets to service_role;

create policy members_read on public.budgets for select to authenticated
  using (tenant_id = (select public.caller_tenant()));

-- Read with every key, so that requests of tenants without budgets are not measured.
alter table public.tenants add column budget text not null default 'none' check (budget in ('none', 'soft', 'hard'));

create function public.note_budgets()
returns trigger
language plpgsql
security invoker
set search_path = ''
as $$
begin
  update public.tenants t
  set budget = coalesce(
    (select case when bool_or(b.is_hard) then 'hard' else 'soft' end from public.budgets b where b.tenant_id = t.id
     having count(*) > 0),
    'none')
  where t.id in (old.tenant_id, new.tenant_id);
  return null;
end;
$$;

create trigger note_budgets after insert or update or delete on public.budgets
  for each row execute function public.note_budgets();

-- What a tenant spent since then, by day of UTC and key: for a budget that begins in the middle of a month. One value,
-- because rows would be cut off at the bound of a page.
create function public.spent_by_day(of_tenant uuid, since timestamptz)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object('day', d.day, 'key_id', d.key_id, 'cost_usd', d.cost_usd)), '[]')
  from (
    select (l.created_at at time zone 'UTC')::date as day, l.key_id, sum(l.cost_usd) as cost_usd
    from public.ledger l
    where l.tenant_id = of_tenant and l.created_at >= since and l.source = 'gateway'
    group by 1, 2
  ) as d
$$;

revoke execute on function public.note_budgets(), public.spent_by_day(uuid, timestamptz) from public, anon, authenticated;
grant execute on function public.spent_by_day(uuid, timestamptz) to service_role;
