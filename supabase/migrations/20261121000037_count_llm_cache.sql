-- What the third cache tier holds, entries and bytes by the minute in which they end: the sum of the gateway's own writes
-- is set right by it, which knows nothing of rows that were pruned or went with their tenant. One value, because a list
-- of a day's minutes is longer than the REST surface hands out.
create function public.count_llm_cache()
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
  select coalesce(jsonb_object_agg(
    held.minute, jsonb_build_object('entries', held.entries, 'bytes', held.bytes)), '{}')
  from (
    select ceil(extract(epoch from expires_at) / 60)::bigint as minute, count(*) as entries, sum(bytes) as bytes
    from public.llm_cache
    where expires_at > now()
    group by 1
  ) held;
$$;

revoke execute on function public.count_llm_cache() from public, anon, authenticated;
grant execute on function public.count_llm_cache() to service_role, beast_keeper;
grant select (bytes) on public.llm_cache to beast_keeper;
