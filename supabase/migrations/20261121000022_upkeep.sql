-- What cron did last, for whoever asks in SQL, and the end of dead letters.

create table public.upkeep (
  job text primary key check (length(job) between 1 and 64),
  ran_at timestamptz not null,
  took_ms integer not null check (took_ms >= 0),
  -- Null = it went well.
  error text check (length(error) <= 500),
  -- Of the last time that it went well.
  succeeded_at timestamptz,
  result jsonb check (jsonb_typeof(result) = 'object' and octet_length(result::text) <= 8192)
);

alter table public.upkeep enable row level security;
alter table public.upkeep force row level security;

revoke all on public.upkeep from anon, authenticated;
grant select, insert, update, delete on public.upkeep to service_role;
grant select, insert, update on public.upkeep to beast_keeper;

create policy keeper_reads on public.upkeep for select to beast_keeper using (true);
create policy keeper_adds on public.upkeep for insert to beast_keeper with check (true);
create policy keeper_renews on public.upkeep for update to beast_keeper using (true) with check (true);

-- Removes dead letters once nobody has mended them for `keep_days`, or for as long as their tenant keeps the like; at
-- most `batch_rows` a call: call it until it says 0.
create function public.prune_dead_letters(keep_days integer default 30, batch_rows integer default 5000)
returns integer
language sql
security invoker
set search_path = ''
as $$
  with removed as (
    delete from public.dead_letters
    where id in (
      select d.id
      from public.dead_letters d left join public.tenants t on t.id = d.tenant_id
      where d.buried_at < now() - make_interval(days => least(
        greatest(keep_days, 1), case d.kind when 'feedback' then t.feedback_retention_days else t.retention_days end))
      order by d.buried_at
      limit least(greatest(batch_rows, 1), 50000)
    )
    returning 1
  )
  select count(*)::integer from removed;
$$;

revoke execute on function public.prune_dead_letters(integer, integer) from public, anon, authenticated;
grant execute on function public.prune_dead_letters(integer, integer) to service_role, beast_keeper;

grant select (id, tenant_id, kind, buried_at), delete on public.dead_letters to beast_keeper;
create policy keeper_reads on public.dead_letters for select to beast_keeper using (true);
create policy keeper_prunes on public.dead_letters for delete to beast_keeper using (true);
