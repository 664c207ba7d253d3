-- Money: one row a request that reached a provider, and one for each call that the provider may have charged for.

create table public.ledger (
  prediction_id uuid primary key,
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  key_id uuid,
  created_at timestamptz not null,
  -- `reported`: told by a client through the telemetry interface; never part of the gateway's own totals.
  source text not null default 'gateway' check (source in ('gateway', 'reported')),
  -- `abandoned`: sent and never settled, so charged at its last report or at its worst case.
  settled_as text not null default 'settled' check (settled_as in ('settled', 'abandoned')),
  -- The sum over its attempts.
  cost_usd numeric not null check (cost_usd between 0 and 1000000)
);

create table public.ledger_attempts (
  prediction_id uuid not null,
  -- In the order of trying, from 1.
  attempt smallint not null check (attempt > 0),
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  created_at timestamptz not null,
  model text not null check (length(model) between 1 and 512),
  provider text not null check (length(provider) between 1 and 128),
  endpoint text check (length(endpoint) between 1 and 512),
  result text not null check (result in ('answered', 'failed', 'abandoned', 'cancelled')),
  failure text check (length(failure) between 1 and 64),
  total_ms double precision not null check (total_ms between 0 and 1e9),
  input_tokens integer check (input_tokens >= 0),
  output_tokens integer check (output_tokens >= 0),
  tokens_estimated boolean not null default false,
  cost_usd numeric not null check (cost_usd between 0 and 1000000),
  primary key (prediction_id, attempt)
);

create index ledger_tenant_created on public.ledger (tenant_id, created_at);
create index ledger_attempts_tenant_created on public.ledger_attempts (tenant_id, created_at);

alter table public.ledger enable row level security;
alter table public.ledger force row level security;
alter table public.ledger_attempts enable row level security;
alter table public.ledger_attempts force row level security;

revoke all on public.ledger, public.ledger_attempts from anon, authenticated;
grant select on public.ledger, public.ledger_attempts to authenticated;
grant select, insert, update, delete on public.ledger, public.ledger_attempts to service_role;
grant select, insert on public.ledger, public.ledger_attempts to beast_recorder;

create policy members_read on public.ledger for select to authenticated
  using (tenant_id = (select public.caller_tenant()));
create policy recorder_reads on public.ledger for select to beast_recorder using (true);
create policy recorder_adds on public.ledger for insert to beast_recorder with check (true);

create policy members_read on public.ledger_attempts for select to authenticated
  using (tenant_id = (select public.caller_tenant()));
create policy recorder_reads on public.ledger_attempts for select to beast_recorder using (true);
create policy recorder_adds on public.ledger_attempts for insert to beast_recorder with check (true);
