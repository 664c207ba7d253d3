-- What the ledger books, on its way into the metrics: noted in the transaction that books it, so that neither can be
-- without the other, and told in numbered batches, of which metrics take each once.

-- Sums under the labels that metrics have; no tenant's id, no key, no request. Gone once they are told.
create table public.cost_counts (
  id bigint generated always as identity primary key,
  -- The batch that it is told in; null until it is in one.
  batch bigint,
  -- A tenant's name as a label, or `other`; null where it is saved, not spent.
  tenant text,
  -- 0 = not known.
  mode smallint not null default 0 check (mode between 0 and 4),
  provider text,
  model text,
  spent_usd numeric not null default 0 check (spent_usd >= 0),
  saved_usd numeric not null default 0 check (saved_usd >= 0)
);

create index cost_counts_batch on public.cost_counts (batch);

-- Who tells them: one row. Another database has another one, whose batches are numbered anew.
create table public.cost_tellers (
  id uuid primary key default gen_random_uuid(),
  source text not null default 'ledger',
  created_at timestamptz not null default now(),
  -- The last batch that was made.
  batch bigint not null default 0
);

insert into public.cost_tellers default values;

alter table public.cost_counts enable row level security;
alter table public.cost_counts force row level security;
alter table public.cost_tellers enable row level security;
alter table public.cost_tellers force row level security;

revoke all on public.cost_counts, public.cost_tellers from anon, authenticated;
grant select, insert, update, delete on public.cost_counts, public.cost_tellers to service_role;
grant select, insert, update (batch), delete on public.cost_counts to beast_recorder;
grant select, update (batch) on public.cost_tellers to beast_recorder;

-- What is here shows itself to the function that tells it; the setting is out of a caller's reach (see `cached_answer`).
create policy recorder_adds on public.cost_counts for insert to beast_recorder with check (true);
create policy recorder_reads on public.cost_counts for select to beast_recorder
  using ((select current_setting('beast.tells_costs', true)) = 'yes');
create policy recorder_numbers on public.cost_counts for update to beast_recorder
  using ((select current_setting('beast.tells_costs', true)) = 'yes') with check (true);
create policy recorder_forgets on public.cost_counts for delete to beast_recorder
  using ((select current_setting('beast.tells_costs', true)) = 'yes');
create policy recorder_reads on public.cost_tellers for select to beast_recorder
  using ((select current_setting('beast.tells_costs', true)) = 'yes');
create policy recorder_numbers on public.cost_tellers for update to beast_recorder
  using ((select current_setting('beast.tells_costs', true)) = 'yes') with check (true);

-- Adds rows of the ledger, each with its labels and with the shares of its models, and notes the costs of those that are
-- new. Of two with one id the first counts, here as everywhere.
create function public.add_to_ledger(booked jsonb)
returns void
language sql
security invoker
set search_path = ''
as $$
  with row as materialized (
    select distinct on (prediction_id) *
    from rows from (jsonb_to_recordset(booked) as (
      prediction_id uuid, tenant_id uuid, key_id uuid, created_at timestamptz, settled_as text, cost_usd numeric,
      unpriced boolean, tenant text, mode smallint, shares jsonb
    )) with ordinality as r (
      prediction_id, tenant_id, key_id, created_at, settled_as, cost_usd, unpriced, tenant, mode, shares, place
    )
    order by prediction_id, place
  ), new as (
    insert into public.ledger (prediction_id, tenant_id, key_id, created_at, settled_as, cost_usd, unpriced)
    select prediction_id, tenant_id, key_id, created_at, settled_as, cost_usd, unpriced from row
    on conflict (prediction_id) do nothing
    returning prediction_id
  )
  insert into public.cost_counts (tenant, mode, provider, model, spent_usd)
  select row.tenant, row.mode, share.provider, share.model, sum(share.usd)
  from new
  join row on row.prediction_id = new.prediction_id
  cross join jsonb_to_recordset(row.shares) as share (provider text, model text, usd numeric)
  group by 1, 2, 3, 4
$$;

-- Notes what new hits have saved.
create function public.note_saved()
returns trigger
language plpgsql
security invoker
set search_path = ''
as $$
begin
  insert into public.cost_counts (mode, saved_usd)
  select coalesce(mode, 0), sum(saved_usd) from added
  -- Version 7: made by the gateway. Others are what is left of an erased user's, and have been told.
  where saved_usd > 0 and substr(id::text, 15, 1) = '7'
  group by 1;
  return null;
end;
$$;

create trigger note_saved after insert on public.ml_predictions
  referencing new table as added for each statement execute function public.note_saved();
create trigger note_saved after insert on public.prediction_minutes
  referencing new table as added for each statement execute function public.note_saved();

-- The batch that is to be told, or null where there is nothing to tell: the last one again until somebody says that it is
-- told, else the next. Whoever asks at once waits, and gets the same.
create function public.next_cost_batch(told bigint default null)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
  teller public.cost_tellers;
  counts jsonb;
begin
  perform set_config('beast.tells_costs', 'yes', true);
  select * into teller from public.cost_tellers
  where source = 'ledger' order by created_at, id limit 1 for update;
  delete from public.cost_counts where batch = told;
  if not exists (select from public.cost_counts where batch is not null) then
    update public.cost_counts set batch = teller.batch + 1
    where id = any (array(select c.id from public.cost_counts c where c.batch is null order by c.id limit 10000));
    if found then
      update public.cost_tellers set batch = teller.batch + 1 where id = teller.id returning * into teller;
    end if;
  end if;
  select jsonb_agg(jsonb_build_object('tenant', tenant, 'mode', mode, 'provider', provider, 'model', model,
    'spent_usd', spent_usd, 'saved_usd', saved_usd)) into counts
  from (
    select c.tenant, c.mode, c.provider, c.model, sum(c.spent_usd) as spent_usd, sum(c.saved_usd) as saved_usd
    from public.cost_counts c where c.batch is not null group by 1, 2, 3, 4
  ) as summed;
  perform set_config('beast.tells_costs', '', true);
  return case when counts is not null
    then jsonb_build_object('teller', teller.id, 'batch', teller.batch, 'counts', counts) end;
end;
$$;

revoke execute on function public.add_to_ledger(jsonb), public.note_saved(), public.next_cost_batch(bigint)
  from public, anon, authenticated;
grant execute on function public.add_to_ledger(jsonb), public.next_cost_batch(bigint) to service_role, beast_recorder;
