-- A page of observations in the order of their last change, the earliest first, after a position. Each kind of each patient is
-- read along the index (patient, code, last change, id) and no further than the page. The planner drops what is null.
SELECT observation_row.*
FROM (
    SELECT reading.id, reading.last_updated
    FROM granted_observations(
        %(user_id)s::bigint, %(roles)s::text[], %(patients)s::bigint[], %(studies)s::bigint[],
        %(organizations)s::bigint[], %(codes)s::bigint[]
    ) AS granted
    CROSS JOIN LATERAL (
        SELECT observation.id, observation.last_updated
        FROM core_observation AS observation
        WHERE observation.patient_id = granted.patient_id AND observation.code_id = granted.code_id
        AND (
            %(lasts_until)s::timestamptz IS NULL
            OR COALESCE(observation.effective_end, observation.effective_start) >= %(lasts_until)s
        )
        AND (%(starts_from)s::timestamptz IS NULL OR observation.effective_start >= %(starts_from)s)
        AND (%(starts_before)s::timestamptz IS NULL OR observation.effective_start < %(starts_before)s)
        AND (observation.last_updated, observation.id)
            > (COALESCE(%(after_time)s::timestamptz, '-infinity'), COALESCE(%(after_id)s::bigint, 0))
        AND observation_fits(
            observation, %(ids)s::bigint[], %(data_sources)s::bigint[], %(statuses)s::text[],
            %(ends_before)s::timestamptz, %(updated_from)s::timestamptz, %(updated_before)s::timestamptz
        )
        ORDER BY observation.last_updated, observation.id LIMIT %(limit)s
    ) AS reading
    ORDER BY reading.last_updated, reading.id LIMIT %(limit)s
) AS page
JOIN observation_row USING (id)
ORDER BY page.last_updated, page.id
