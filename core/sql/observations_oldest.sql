-- A page of observations, the oldest first, after a position. Each kind of each patient is read along the index
-- (patient, code, time, id) and no further than the page, so page 500 costs what page 1 does.
-- What lasts until a point in time is in two ranges: what begins after it, and what began before it and has an end.
-- The planner drops what is null.
SELECT observation_row.*
FROM (
    SELECT reading.id, reading.effective_start
    FROM granted_observations(
        %(user_id)s::bigint, %(roles)s::text[], %(patients)s::bigint[], %(studies)s::bigint[],
        %(organizations)s::bigint[], %(codes)s::bigint[]
    ) AS granted
    CROSS JOIN LATERAL (
        (
            SELECT observation.id, observation.effective_start
            FROM core_observation AS observation
            WHERE observation.patient_id = granted.patient_id AND observation.code_id = granted.code_id
            AND observation.effective_start >= COALESCE(%(lasts_until)s::timestamptz, '-infinity')
            AND observation.effective_start >= COALESCE(%(starts_from)s::timestamptz, '-infinity')
            AND observation.effective_start < COALESCE(%(starts_before)s::timestamptz, 'infinity')
            AND (observation.effective_start, observation.id)
                > (COALESCE(%(after_time)s::timestamptz, '-infinity'), COALESCE(%(after_id)s::bigint, 0))
            AND observation_fits(
                observation, %(ids)s::bigint[], %(data_sources)s::bigint[], %(statuses)s::text[],
                %(ends_before)s::timestamptz, %(updated_from)s::timestamptz, %(updated_before)s::timestamptz
            )
            ORDER BY observation.effective_start, observation.id LIMIT %(limit)s
        ) UNION ALL (
            SELECT observation.id, observation.effective_start
            FROM core_observation AS observation
            WHERE observation.patient_id = granted.patient_id AND observation.code_id = granted.code_id
            AND observation.effective_start < %(lasts_until)s::timestamptz
            AND observation.effective_end >= %(lasts_until)s::timestamptz
            AND observation.effective_start >= COALESCE(%(starts_from)s::timestamptz, '-infinity')
            AND observation.effective_start < COALESCE(%(starts_before)s::timestamptz, 'infinity')
            AND (observation.effective_start, observation.id)
                > (COALESCE(%(after_time)s::timestamptz, '-infinity'), COALESCE(%(after_id)s::bigint, 0))
            AND observation_fits(
                observation, %(ids)s::bigint[], %(data_sources)s::bigint[], %(statuses)s::text[],
                %(ends_before)s::timestamptz, %(updated_from)s::timestamptz, %(updated_before)s::timestamptz
            )
            ORDER BY observation.effective_start, observation.id LIMIT %(limit)s
        )
    ) AS reading
    ORDER BY reading.effective_start, reading.id LIMIT %(limit)s
) AS page
JOIN observation_row USING (id)
ORDER BY page.effective_start, page.id
