-- The last few observations of each kind of each patient, the newest first; each kind is read along the index (patient,
-- code, time, id) and no further. The planner drops what is null.
SELECT observation_row.*
FROM granted_observations(
    %(user_id)s::bigint, %(roles)s::text[], %(patients)s::bigint[], %(studies)s::bigint[],
    %(organizations)s::bigint[], %(codes)s::bigint[]
) AS granted
CROSS JOIN LATERAL (
    SELECT observation.id
    FROM core_observation AS observation
    WHERE observation.patient_id = granted.patient_id AND observation.code_id = granted.code_id
    AND observation.effective_start >= COALESCE(%(starts_from)s::timestamptz, '-infinity')
    AND observation.effective_start < COALESCE(%(starts_before)s::timestamptz, 'infinity')
    AND (
        %(lasts_until)s::timestamptz IS NULL
        OR COALESCE(observation.effective_end, observation.effective_start) >= %(lasts_until)s
    )
    AND observation_fits(
        observation, %(ids)s::bigint[], %(data_sources)s::bigint[], %(statuses)s::text[],
        %(ends_before)s::timestamptz, %(updated_from)s::timestamptz, %(updated_before)s::timestamptz
    )
    ORDER BY observation.effective_start DESC, observation.id DESC LIMIT %(per_kind)s
) AS reading
JOIN observation_row USING (id)
ORDER BY
    observation_row.patient_id, observation_row.code_id, observation_row.effective_start DESC, observation_row.id DESC
LIMIT %(limit)s
