-- Which of a tenant's cached answers were purged by name, and when: most of them lie where nothing can be listed, so they
-- are not sought but no longer taken. The marks stand in the tenant's row, which is read with every key, exported and
-- erased as it is.

alter table public.tenants
  -- `tag:NAME`, `model:NAME` or `slot:KEY` to milliseconds since 1970.
  add column purge_marks jsonb not null default '{}' check (
    jsonb_typeof(purge_marks) = 'object' and octet_length(purge_marks::text) <= 32768);

-- Sets a mark, or purges everything by a new epoch. Marks end after 25 hours: an answer lives for 24, counted from when it
-- was complete. A tenant has at most 100, and at most 50 of slots; past the first bound everything is purged instead,
-- past the second a slot is not marked. Says what became of it: `mark`, `epoch` or `none`; null: there is no such tenant.
create function public.purge_answers(purged_tenant uuid, at_ms bigint, mark text default null)
returns text
language plpgsql
security invoker
set search_path = ''
as $$
declare
  marks jsonb;
  others bigint;
  of_slots bigint;
begin
  select t.purge_marks into marks from public.tenants t where t.id = purged_tenant for update;
  if not found then
    return null;
  end if;
  select coalesce(jsonb_object_agg(key, value), '{}') into marks
  from jsonb_each(marks) where value::text::bigint > at_ms - 25 * 3600000;
  select count(*), count(*) filter (where key like 'slot:%') into others, of_slots
  from jsonb_object_keys(marks) key where key is distinct from mark;
  if mark like 'slot:%' and (of_slots >= 50 or others >= 100) then
    return 'none';
  end if;
  if mark is null or others >= 100 then
    update public.tenants set epoch = epoch + 1, purge_marks = '{}' where id = purged_tenant;
    return 'epoch';
  end if;
  -- Of two purges at once the later one counts.
  update public.tenants
  set purge_marks = marks || jsonb_build_object(mark, greatest(at_ms, (marks ->> mark)::bigint))
  where id = purged_tenant;
  return 'mark';
end;
$$;

-- What is known of a tenant's cached answers: those that lie here, hits of the last hour by tier as far as they are rolled
-- up, and the marks that hold.
create function public.cache_stats(counted_tenant uuid, at_ms bigint)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
  select jsonb_build_object(
    'entries', (select count(*) from public.llm_cache c where c.tenant_id = t.id and c.expires_at > now()),
    'bytes', (select coalesce(sum(c.bytes), 0) from public.llm_cache c where c.tenant_id = t.id and c.expires_at > now()),
    'hits', (
      select coalesce(jsonb_object_agg(tier, requests), '{}')
      from (
        select m.cache_tier as tier, sum(m.requests) as requests
        from public.roll_up_minutes m
        where m.tenant_id = t.id and m.cache = 'hit' and m.starts_at >= now() - interval '1 hour'
        group by 1
      ) hits),
    'marks', (
      select coalesce(jsonb_object_agg(key, value), '{}')
      from jsonb_each(t.purge_marks) where value::text::bigint > at_ms - 25 * 3600000))
  from public.tenants t
  where t.id = counted_tenant;
$$;

revoke execute on function public.purge_answers(uuid, bigint, text), public.cache_stats(uuid, bigint)
  from public, anon, authenticated;
grant execute on function public.purge_answers(uuid, bigint, text), public.cache_stats(uuid, bigint) to service_role;
