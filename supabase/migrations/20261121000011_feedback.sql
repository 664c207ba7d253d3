-- Ratings, each once a source, and what was made better because of them.

-- Every rating as it came: the only table that ratings are written to. Arriving twice is once, and in any order the
-- result is the same, because the rating below is always made from all of these.
create table public.quality_feedback_history (
  -- A UUID made by whoever acknowledged it.
  id uuid primary key,
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  -- No foreign key: a rating may arrive before its prediction.
  prediction_id uuid not null,
  source text not null check (source in ('user', 'bot', 'auto-prompt')),
  thumbs text check (thumbs in ('up', 'down')),
  rating smallint check (rating between 1 and 5),
  outcome double precision check (outcome between -1e9 and 1e9),
  -- The better answer.
  correction text check (octet_length(correction) between 1 and 262144),
  tags text[] check (
    cardinality(tags) <= 20
    and array_position(tags, null) is null
    and octet_length(array_to_string(tags, '')) <= 1280
  ),
  received_at timestamptz not null,
  stored_at timestamptz not null default now(),
  check (num_nonnulls(thumbs, rating, outcome, correction, tags) > 0)
);

create index quality_feedback_history_rating
  on public.quality_feedback_history (tenant_id, prediction_id, source);

-- What counts: of each field the latest that was given; the same said twice in a row is one revision. Written by the
-- trigger below and by nobody else.
create table public.quality_feedback (
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  prediction_id uuid not null,
  source text not null,
  thumbs text,
  rating smallint,
  outcome double precision,
  correction text,
  tags text[] not null default '{}',
  received_at timestamptz not null,
  amended_at timestamptz,
  revisions integer not null check (revisions > 0),
  stored_at timestamptz not null default now(),
  changed_at timestamptz not null default now(),
  -- Set, with what is known of the prediction, once both are here.
  matched_at timestamptz,
  model text,
  provider text,
  mode smallint,
  primary key (tenant_id, prediction_id, source)
);

create index quality_feedback_received on public.quality_feedback (tenant_id, received_at);
create index quality_feedback_changed on public.quality_feedback (changed_at);
create index quality_feedback_waiting on public.quality_feedback (stored_at) where matched_at is null;

-- Joins ratings that wait to predictions that have come. The triggers do so at once; this finds the pairs of which
-- neither transaction saw the other, and is for cron.
create function public.match_feedback(batch_rows integer default 1000)
returns integer
language sql
security invoker
set search_path = ''
as $$
  with met as (
    select f.tenant_id, f.prediction_id, f.source, p.model, p.provider, p.mode
    from public.quality_feedback f
    join public.ml_predictions p on p.id = f.prediction_id and p.tenant_id = f.tenant_id
    where f.matched_at is null and f.stored_at > now() - interval '24 hours'
    order by f.stored_at
    limit least(batch_rows, 10000)
  ), matched as (
    update public.quality_feedback f
    set matched_at = now(), changed_at = now(), model = met.model, provider = met.provider, mode = met.mode
    from met
    where f.tenant_id = met.tenant_id and f.prediction_id = met.prediction_id and f.source = met.source
      and f.matched_at is null
    returning 1
  )
  select count(*)::integer from matched;
$$;

-- Each rating is made from its whole history, so that has to have an end. Nobody amends so often for good reason.
create function public.bound_amendments()
returns trigger
language plpgsql
security invoker
set search_path = ''
as $$
begin
  if (
    select count(*) from public.quality_feedback_history
    where tenant_id = new.tenant_id and prediction_id = new.prediction_id and source = new.source
  ) >= 50 then
    return null;
  end if;
  return new;
end;
$$;

create function public.amend_feedback()
returns trigger
language plpgsql
security invoker
set search_path = ''
as $$
begin
  -- Two amendments at once would each be made from what the other had not yet stored.
  perform pg_advisory_xact_lock(lot)
  from (
    select distinct hashtextextended(tenant_id::text || prediction_id::text || source, 0) as lot from added order by lot
  ) as lots;

  insert into public.quality_feedback as f
    (tenant_id, prediction_id, source, thumbs, rating, outcome, correction, tags, received_at, amended_at, revisions)
  select tenant_id, prediction_id, source,
    (array_agg(thumbs order by received_at desc, id desc) filter (where thumbs is not null))[1],
    (array_agg(rating order by received_at desc, id desc) filter (where rating is not null))[1],
    (array_agg(outcome order by received_at desc, id desc) filter (where outcome is not null))[1],
    (array_agg(correction order by received_at desc, id desc) filter (where correction is not null))[1],
    coalesce(
      (select h2.tags from public.quality_feedback_history h2
       where h2.tenant_id = h.tenant_id and h2.prediction_id = h.prediction_id and h2.source = h.source
         and h2.tags is not null
       order by h2.received_at desc, h2.id desc limit 1),
      '{}'),
    min(received_at),
    nullif(max(received_at) filter (where said is distinct from said_before), min(received_at)),
    count(*) filter (where said is distinct from said_before)
  from (
    select told.*,
      lag(said) over (partition by tenant_id, prediction_id, source order by received_at, id) as said_before
    from (
      select *, jsonb_build_array(thumbs, rating, outcome, correction, tags) as said
      from public.quality_feedback_history
      where (tenant_id, prediction_id, source) in (select tenant_id, prediction_id, source from added)
    ) as told
  ) as h
  group by tenant_id, prediction_id, source
  on conflict (tenant_id, prediction_id, source) do update set
    thumbs = excluded.thumbs, rating = excluded.rating, outcome = excluded.outcome,
    correction = excluded.correction, tags = excluded.tags,
    -- The hour that it counts for stays, also where an earlier one arrives later.
    received_at = f.received_at, amended_at = excluded.amended_at,
    revisions = excluded.revisions, changed_at = now();

  update public.quality_feedback f
  set matched_at = now(), model = p.model, provider = p.provider, mode = p.mode
  from public.ml_predictions p
  where (f.tenant_id, f.prediction_id, f.source) in (select tenant_id, prediction_id, source from added)
    and f.matched_at is null and f.stored_at > now() - interval '24 hours'
    and p.id = f.prediction_id and p.tenant_id = f.tenant_id;
  return null;
end;
$$;

-- Those that came before their predictions.
create function public.match_early_feedback()
returns trigger
language plpgsql
security invoker
set search_path = ''
as $$
begin
  update public.quality_feedback f
  set matched_at = now(), changed_at = now(), model = p.model, provider = p.provider, mode = p.mode
  from added p
  where f.tenant_id = p.tenant_id and f.prediction_id = p.id
    and f.matched_at is null and f.stored_at > now() - interval '24 hours';
  return null;
end;
$$;

revoke execute on function
  public.match_feedback(integer), public.bound_amendments(), public.amend_feedback(), public.match_early_feedback()
  from public, anon, authenticated;
grant execute on function public.match_feedback(integer) to service_role, beast_recorder;

create trigger bound_amendments before insert on public.quality_feedback_history
  for each row execute function public.bound_amendments();
create trigger amend_feedback after insert on public.quality_feedback_history
  referencing new table as added for each statement execute function public.amend_feedback();
create trigger match_early_feedback after insert on public.ml_predictions
  referencing new table as added for each statement execute function public.match_early_feedback();

-- One row for each question that was decided: what was changed, and what it did. Those of the whole gateway belong to
-- the system tenant.
create table public.quality_improvements (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  change text not null check (length(change) between 1 and 1000),
  experiment text check (length(experiment) between 1 and 128),
  variant text check (length(variant) between 1 and 128),
  metric text not null check (length(metric) between 1 and 128),
  -- Whether more of the metric is better.
  higher_is_better boolean not null default true,
  before_value double precision not null check (before_value between -1e15 and 1e15),
  after_value double precision not null check (after_value between -1e15 and 1e15),
  -- Of after - before, in the unit of the metric.
  interval_low double precision not null check (interval_low between -1e15 and 1e15),
  interval_high double precision not null check (interval_high between -1e15 and 1e15),
  confidence double precision not null default 0.95 check (confidence > 0 and confidence < 1),
  decision text not null check (decision in ('adopted', 'rejected', 'inconclusive')),
  decided_at timestamptz not null default now(),
  evidence jsonb not null default '{}' check (
    jsonb_typeof(evidence) = 'object' and octet_length(evidence::text) <= 32768
  ),
  check (interval_low <= interval_high)
);

create index quality_improvements_tenant_decided on public.quality_improvements (tenant_id, decided_at);

alter table public.quality_feedback_history enable row level security;
alter table public.quality_feedback_history force row level security;
alter table public.quality_feedback enable row level security;
alter table public.quality_feedback force row level security;
alter table public.quality_improvements enable row level security;
alter table public.quality_improvements force row level security;

revoke all on public.quality_feedback_history, public.quality_feedback, public.quality_improvements
  from anon, authenticated;
grant select on public.quality_feedback_history, public.quality_feedback, public.quality_improvements to authenticated;
grant select, insert, update, delete
  on public.quality_feedback_history, public.quality_feedback, public.quality_improvements to service_role;
grant select, insert on public.quality_feedback_history to beast_recorder;
grant select, insert, update on public.quality_feedback to beast_recorder;

create policy members_read on public.quality_feedback_history for select to authenticated
  using (tenant_id = (select public.caller_tenant()));
create policy recorder_reads on public.quality_feedback_history for select to beast_recorder using (true);
create policy recorder_adds on public.quality_feedback_history for insert to beast_recorder with check (true);

create policy members_read on public.quality_feedback for select to authenticated
  using (tenant_id = (select public.caller_tenant()));
create policy recorder_reads on public.quality_feedback for select to beast_recorder using (true);
create policy recorder_adds on public.quality_feedback for insert to beast_recorder with check (true);
create policy recorder_amends on public.quality_feedback for update to beast_recorder using (true) with check (true);

create policy members_read on public.quality_improvements for select to authenticated
  using (tenant_id = (select public.caller_tenant()));
