-- How fast, and how many at once, a tenant or a key of it may ask; null = not limited. They stand in the rows of those that
-- they bind, which are read with every key, exported and erased as they are. Each tenant's account object holds a copy, and
-- is the one that judges.

alter table public.tenants
  -- A minute.
  add column limit_requests integer check (limit_requests between 1 and 1000000),
  -- A minute, of what is sent and answered together.
  add column limit_tokens integer check (limit_tokens between 1 and 1000000000),
  -- Requests that providers are at work on.
  add column limit_concurrency integer check (limit_concurrency between 1 and 10000),
  -- What a request may name as its maximum.
  add column limit_max_tokens integer check (limit_max_tokens between 1 and 10000000);

alter table public.virtual_keys
  add column limit_requests integer check (limit_requests between 1 and 1000000),
  add column limit_tokens integer check (limit_tokens between 1 and 1000000000),
  add column limit_concurrency integer check (limit_concurrency between 1 and 10000),
  add column limit_max_tokens integer check (limit_max_tokens between 1 and 10000000);
