-- What was erased stays erased, also where rows of it were still under way; and everything of a tenant or of a user page
-- by page, each at the cost of its own rows.

-- Whom a late row may no longer belong to: ids without names, and keyed hashes, which are taken out after 30 days.
create table public.erasures (
  -- No foreign key: it is here because the tenant is gone.
  tenant_id uuid not null,
  -- Empty = the tenant itself.
  user_hash text not null default '' check (length(user_hash) in (0, 43)),
  erased_at timestamptz not null default now(),
  primary key (tenant_id, user_hash)
);

alter table public.erasures enable row level security;
alter table public.erasures force row level security;

revoke all on public.erasures from anon, authenticated;
grant select, insert, update, delete on public.erasures to service_role;
-- Its triggers below look here.
grant select on public.erasures to beast_recorder;
create policy recorder_reads on public.erasures for select to beast_recorder using (true);

-- Everywhere else a foreign key refuses what comes too late. What is refused becomes a dead letter, though, with all that
-- the record says.
create function public.bury_nothing_erased()
returns trigger
language plpgsql
security invoker
set search_path = ''
as $$
begin
  -- Waits for an erasure that is just ending: otherwise neither would see the other's row.
  perform pg_advisory_xact_lock_shared(hashtextextended('erasure:' || new.tenant_id, 0));
  if exists (select from public.erasures where tenant_id = new.tenant_id and user_hash = '')
    and not exists (select from public.tenants where id = new.tenant_id) then
    return null;
  end if;
  if exists (
    select from public.erasures where tenant_id = new.tenant_id and user_hash = new.record -> 'row' ->> 'user_hash'
  ) then
    new.record := jsonb_set(new.record, '{row,user_hash}', 'null');
  end if;
  return new;
end;
$$;

create trigger bury_nothing_erased before insert on public.dead_letters
  for each row when (new.tenant_id is not null) execute function public.bury_nothing_erased();

-- However a tenant goes, by hand too.
create function public.note_erased_tenant()
returns trigger
language plpgsql
security invoker
set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('erasure:' || old.id, 0));
  delete from public.erasures where tenant_id = old.id;
  insert into public.erasures (tenant_id) values (old.id);
  delete from public.dead_letters where tenant_id = old.id;
  return null;
end;
$$;

create trigger note_erased_tenant after delete on public.tenants
  for each row execute function public.note_erased_tenant();

-- A request of an erased user that is stored only now counts as nobody's. One that was made afterwards is the user's own.
create function public.disown_erased_user()
returns trigger
language plpgsql
security invoker
set search_path = ''
as $$
begin
  if exists (
    select from public.erasures
    where tenant_id = new.tenant_id and user_hash = new.user_hash and erased_at >= new.created_at
  ) then
    new.user_hash := null;
  end if;
  return new;
end;
$$;

create trigger disown_erased_user before insert on public.ml_predictions
  for each row when (new.user_hash is not null) execute function public.disown_erased_user();

-- Notes the erasure of a user. Before `erase_user`, so that nothing comes in between.
create function public.note_erased_user(erased_tenant uuid, erased_user_hash text)
returns void
language sql
security invoker
set search_path = ''
as $$
  delete from public.erasures where user_hash <> '' and erased_at < now() - interval '30 days';
  insert into public.erasures (tenant_id, user_hash) values (erased_tenant, erased_user_hash)
  on conflict (tenant_id, user_hash) do update set erased_at = now();
$$;

-- Ends every key of a tenant, and makes all of its cached answers unreadable: the first step of its erasure. What cron has
-- not counted yet, because it was not running, is counted now; `erase_tenant` itself looks back one hour.
create function public.close_tenant(closed_tenant uuid)
returns void
language plpgsql
security invoker
set search_path = ''
as $$
declare
  uncounted_from timestamptz;
begin
  if closed_tenant = '00000000-0000-4000-a000-000000000000' then
    raise exception 'the system tenant holds the public models and cannot be erased' using errcode = 'check_violation';
  end if;
  update public.virtual_keys set revoked_at = now() where tenant_id = closed_tenant and revoked_at is null;
  update public.tenants set epoch = epoch + 1 where id = closed_tenant;

  select least(
    (select min(p.stored_at) from public.ml_predictions p
     where p.tenant_id = t.id and p.created_at >= t.predictions_pruned_before and not exists (
       select from public.roll_up_minutes r
       where r.tenant_id = t.id and r.starts_at = date_trunc('minute', p.created_at))),
    (select min(m.stored_at) from public.prediction_minutes m
     where m.tenant_id = t.id and m.starts_at >= t.predictions_pruned_before and not exists (
       select from public.roll_up_minutes r where r.tenant_id = t.id and r.starts_at = m.starts_at)),
    (select min(f.changed_at) from public.quality_feedback f
     where f.tenant_id = t.id and f.matched_at is not null and f.received_at >= t.feedback_pruned_before and not exists (
       select from public.feedback_hours h
       where h.tenant_id = t.id and h.starts_at = date_trunc('hour', f.received_at, 'UTC')))
  ) into uncounted_from
  from public.tenants t where t.id = closed_tenant;
  if uncounted_from is not null then
    perform public.roll_up(uncounted_from, now() + interval '1 minute');
  end if;
end;
$$;

-- Takes out the cached answers of a tenant, at most `batch_rows` a call: call it until it says less. Then the epoch is
-- raised, so that those in the other tiers do not open any more either.
create function public.clear_cache(cleared_tenant uuid, batch_rows integer default 1000)
returns integer
language plpgsql
security invoker
set search_path = ''
as $$
declare
  bound constant integer := least(greatest(batch_rows, 1), 50000);
  removed integer;
begin
  delete from public.llm_cache where ctid = any (array(
    select c.ctid from public.llm_cache c where c.tenant_id = cleared_tenant limit bound));
  get diagnostics removed = row_count;
  if removed < bound then
    update public.tenants set epoch = epoch + 1 where id = cleared_tenant;
  end if;
  return removed;
end;
$$;

-- A page of everything that is kept of a tenant, or of one of its users. The next one follows when the last row's section,
-- at and record_id are given back; an empty one is the end. `export_tenant` and `export_user` sort all that there is for
-- each page; this reads on along the indexes, and stops at so many rows or bytes, so that long texts fill no memory.
-- Records come as text, because a reader's numbers are not as long as Postgres's.
create function public.export_page(
  exported_tenant uuid,
  exported_user_hash text default null,
  user_name text default null,
  after_section text default null,
  after_at timestamptz default '-infinity',
  after_id text default '',
  page_rows integer default 1000,
  page_bytes integer default 2000000
)
returns table (section text, at timestamptz, record_id text, record text)
language plpgsql
stable
security invoker
set search_path = ''
-- With the section known, the planner leaves all other tables out.
set plan_cache_mode = 'force_custom_plan'
as $$
declare
  -- All of tenant_records.
  sections constant text[] := array['tenants', 'virtual_keys', 'custom_models', 'model_aliases', 'provider_keys',
    'ml_predictions', 'prediction_texts', 'quality_feedback', 'quality_feedback_history', 'quality_improvements', 'ledger',
    'ledger_attempts', 'prediction_minutes', 'roll_up_hours', 'feedback_hours', 'dead_letters', 'budgets'];
  rows_left integer := least(greatest(page_rows, 1), 10000);
  bytes_left integer := greatest(page_bytes, 1);
  current text;
begin
  foreach current in array sections[coalesce(array_position(sections, after_section), 1):] loop
    if current is distinct from after_section then
      after_at := '-infinity';
      after_id := '';
    end if;
    for section, at, record_id, record in
      select r.section, r.at, r.record_id, r.record::text
      from public.tenant_records r
      where r.tenant_id = exported_tenant
        and r.section = current
        and r.at >= after_at
        and (r.at, r.record_id) > (after_at, after_id)
        and (
          exported_user_hash is null
          or r.user_hash = exported_user_hash
          or (r.section = 'custom_models' and r.record ->> 'user_id' = user_name)
        )
      order by r.at, r.record_id
      limit rows_left
    loop
      return next;
      rows_left := rows_left - 1;
      bytes_left := bytes_left - octet_length(record);
      if rows_left <= 0 or bytes_left <= 0 then
        return;
      end if;
    end loop;
  end loop;
end;
$$;

revoke execute on function
  public.bury_nothing_erased(), public.note_erased_tenant(), public.disown_erased_user(),
  public.note_erased_user(uuid, text), public.close_tenant(uuid), public.clear_cache(uuid, integer),
  public.export_page(uuid, text, text, text, timestamptz, text, integer, integer)
  from public, anon, authenticated;
grant execute on function
  public.note_erased_user(uuid, text), public.close_tenant(uuid), public.clear_cache(uuid, integer),
  public.export_page(uuid, text, text, text, timestamptz, text, integer, integer)
  to service_role;
