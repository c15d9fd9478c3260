-- How many observations a search finds. The planner drops what is null.
SELECT count(*)
FROM granted_observations(
    %(user_id)s::bigint, %(roles)s::text[], %(patients)s::bigint[], %(studies)s::bigint[],
    %(organizations)s::bigint[], %(codes)s::bigint[]
) AS granted
JOIN core_observation AS observation USING (patient_id, code_id)
WHERE (%(starts_from)s::timestamptz IS NULL OR observation.effective_start >= %(starts_from)s)
AND (%(starts_before)s::timestamptz IS NULL OR observation.effective_start < %(starts_before)s)
AND (
    %(lasts_until)s::timestamptz IS NULL OR observation.effective_start >= %(lasts_until)s
    OR observation.effective_end >= %(lasts_until)s
)
AND observation_fits(
    observation, %(ids)s::bigint[], %(data_sources)s::bigint[], %(statuses)s::text[],
    %(ends_before)s::timestamptz, %(updated_from)s::timestamptz, %(updated_before)s::timestamptz
)
