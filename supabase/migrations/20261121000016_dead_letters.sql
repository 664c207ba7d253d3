-- Records that their table refused, with the reason. Replayed by `npm run dead-letters`, which takes them out.
create table public.dead_letters (
  -- That of the record where it has one: burying twice is once.
  id uuid primary key,
  -- As the record has it; no foreign key, because an unknown tenant is a reason to be here.
  tenant_id uuid,
  kind text not null check (length(kind) between 1 and 64),
  record jsonb not null,
  reason text not null check (length(reason) <= 500),
  buried_at timestamptz not null default now()
);

create index dead_letters_buried on public.dead_letters (buried_at);
create index dead_letters_tenant on public.dead_letters (tenant_id) where tenant_id is not null;

alter table public.dead_letters enable row level security;
alter table public.dead_letters force row level security;

revoke all on public.dead_letters from anon, authenticated;
grant select, insert, update, delete on public.dead_letters to service_role;
-- The id alone, which `on conflict do nothing` has to look at.
grant select (id), insert on public.dead_letters to beast_recorder;

create policy recorder_reads on public.dead_letters for select to beast_recorder using (true);
create policy recorder_adds on public.dead_letters for insert to beast_recorder with check (true);
