-- Administration: who changed what and when, which nobody can take back; and what a key may be used for.

-- A row for each change, written before it. Kept for good, by ids only.
create table public.audit_log (
  -- Sorts by time.
  id uuid primary key,
  at timestamptz not null default now(),
  -- Whose things were changed; null = the gateway's own. No foreign key: the fact outlives the tenant.
  tenant_id uuid,
  actor text not null check (actor in ('operator', 'key')),
  -- The key's.
  actor_id uuid,
  action text not null check (action ~ '^[a-z_]+\.[a-z_]+$'),
  -- Of a row that says how an earlier one ended: which, and why its change failed.
  failed_id uuid references public.audit_log (id),
  failure text check (failure ~ '^[a-z_]+$'),
  check ((failed_id is null) = (failure is null)),
  check ((actor = 'key') = (actor_id is not null))
);

-- What a person may be known by: it goes with its tenant.
create table public.audit_details (
  -- That of the row in audit_log.
  id uuid primary key,
  tenant_id uuid references public.tenants (id) on delete cascade,
  request_id text not null check (length(request_id) between 1 and 128),
  target text check (length(target) <= 512),
  before jsonb,
  after jsonb
);

create index audit_log_tenant on public.audit_log (tenant_id, id);
create unique index audit_log_failed_id on public.audit_log (failed_id);
create index audit_details_tenant on public.audit_details (tenant_id);

alter table public.audit_log enable row level security;
alter table public.audit_log force row level security;
alter table public.audit_details enable row level security;
alter table public.audit_details force row level security;

revoke all on public.audit_log, public.audit_details from anon, authenticated, service_role;
grant select, insert on public.audit_log, public.audit_details to service_role;

-- Beside the grants, because those who own the tables need none.
create function public.keep_audit()
returns trigger
language plpgsql
security invoker
set search_path = ''
as $$
begin
  if tg_op = 'DELETE' and tg_table_name = 'audit_details' then
    if old.tenant_id is not null and not exists (select from public.tenants where id = old.tenant_id) then
      return old;
    end if;
  end if;
  raise exception 'the audit log is only ever added to' using errcode = 'insufficient_privilege';
end;
$$;

create trigger keep_audit before update or delete on public.audit_log
  for each row execute function public.keep_audit();
create trigger keep_audit_whole before truncate on public.audit_log
  for each statement execute function public.keep_audit();
create trigger keep_audit before update or delete on public.audit_details
  for each row execute function public.keep_audit();
create trigger keep_audit_whole before truncate on public.audit_details
  for each statement execute function public.keep_audit();

-- Both rows or none. Details of a tenant that does not exist yet are nobody's.
create function public.write_audit(
  entry_id uuid,
  of_tenant uuid,
  by_actor text,
  by_id uuid,
  done_action text,
  of_request text,
  on_target text,
  state_before jsonb,
  state_after jsonb
)
returns void
language sql
security invoker
set search_path = ''
as $$
  insert into public.audit_log (id, tenant_id, actor, actor_id, action)
  values (entry_id, of_tenant, by_actor, by_id, done_action);
  insert into public.audit_details (id, tenant_id, request_id, target, before, after)
  values (entry_id, (select id from public.tenants where id = of_tenant), of_request, on_target, state_before, state_after);
$$;

revoke execute on function
  public.keep_audit(), public.write_audit(uuid, uuid, text, uuid, text, text, text, jsonb, jsonb)
  from public, anon, authenticated;
grant execute on function public.write_audit(uuid, uuid, text, uuid, text, text, text, jsonb, jsonb) to service_role;

-- A change a row, with how it ended.
create view public.audit_entries with (security_invoker = true) as
  select l.id, l.at, l.tenant_id, t.name as tenant, l.actor, l.actor_id, l.action, d.target, d.before, d.after,
    f.failure, d.request_id
  from public.audit_log l
  left join public.audit_details d on d.id = l.id
  left join public.audit_log f on f.failed_id = l.id
  left join public.tenants t on t.id = l.tenant_id
  where l.failed_id is null;

revoke all on public.audit_entries from anon, authenticated;
grant select on public.audit_entries to service_role;

-- What a key may be used for: those that there are keep everything. When it was used last, to the hour.
alter table public.virtual_keys
  add column scopes text[] not null default '{inference,feedback,telemetry,models,costs}'
    check (cardinality(scopes) > 0 and scopes <@ '{inference,feedback,telemetry,models,costs}'),
  add column last_used_at timestamptz;
