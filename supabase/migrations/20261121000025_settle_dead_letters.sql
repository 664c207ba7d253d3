-- A dead letter that was sent to the recorder once more stays until its record lies in its table: so that nothing is lost
-- in between, however that ends.
create function public.settle_dead_letters()
returns integer
language sql
security invoker
set search_path = ''
as $$
  with settled as (
    delete from public.dead_letters d
    where exists (select from public.ml_predictions p where p.id = d.id)
      or exists (select from public.quality_feedback_history h where h.id = d.id)
      or exists (select from public.prediction_minutes m where m.id = d.id)
      or exists (
        select from public.prediction_texts t where t.prediction_id::text = d.record -> 'row' ->> 'prediction_id'
          and d.kind = 'text'
      )
    returning 1
  )
  select count(*)::integer from settled;
$$;

revoke execute on function public.settle_dead_letters() from public, anon, authenticated;
grant execute on function public.settle_dead_letters() to service_role;
