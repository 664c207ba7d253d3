-- Requests are listed newest first, a page at a time, by their ids: those rise with time, and no two are the same.
create index ml_predictions_tenant_id on public.ml_predictions (tenant_id, id);
