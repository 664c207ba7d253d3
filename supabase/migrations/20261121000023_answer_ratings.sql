-- What people thought of an answer, however often it was given: ratings of it, and of the hits that repeated it. This is
-- what tells whether an entry of the cache deserves its place.
create view public.answer_ratings with (security_invoker = true) as
  select f.tenant_id, coalesce(p.cached_prediction_id, p.id) as prediction_id,
    count(*) as ratings,
    count(*) filter (where p.cached_prediction_id is not null) as ratings_of_hits,
    count(*) filter (where f.thumbs = 'up') as thumbs_up,
    count(*) filter (where f.thumbs = 'down') as thumbs_down,
    avg(public.feedback_score(f.thumbs, f.rating)) as quality,
    max(f.changed_at) as rated_at
  from public.quality_feedback f
  join public.ml_predictions p on p.id = f.prediction_id and p.tenant_id = f.tenant_id
  where f.matched_at is not null
  group by 1, 2;

revoke all on public.answer_ratings from anon, authenticated;
grant select on public.answer_ratings to authenticated, service_role;
