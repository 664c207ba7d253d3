-- Where trained models, training data, catalogues and audit exports lie: a private bucket for the workers and the
-- operator. The service role passes by row-level security; nobody else sees or writes anything in it.

-- A database without Supabase Storage (plain Postgres behind PostgREST) has nothing to protect here.
do $$
begin
  if to_regclass('storage.buckets') is null or to_regclass('storage.objects') is null then
    return;
  end if;

  insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types)
  values ('ml-artifacts', 'ml-artifacts', false, 16777216, array['application/json', 'text/plain'])
  on conflict (id) do update set
    public = false,
    file_size_limit = excluded.file_size_limit,
    allowed_mime_types = excluded.allowed_mime_types;

  -- Restrictive: they take away, whatever other policies a project has or gets, and touch no other bucket.
  -- Supabase has row-level security on for both tables already, and lets nobody but itself alter them.
  create policy "ml-artifacts: service role only" on storage.objects
    as restrictive for all to public
    using (bucket_id is distinct from 'ml-artifacts')
    with check (bucket_id is distinct from 'ml-artifacts');
  create policy "ml-artifacts: service role only" on storage.buckets
    as restrictive for all to public
    using (id is distinct from 'ml-artifacts')
    with check (id is distinct from 'ml-artifacts');
end $$;
