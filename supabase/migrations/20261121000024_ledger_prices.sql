-- By what a call was priced. What nobody has a price for counts as nothing, and is flagged: it is not free.
alter table public.ledger add column unpriced boolean not null default false;
alter table public.ledger_attempts add column priced_by text not null default 'list'
  check (priced_by in ('own', 'list', 'free', 'unpriced'));
