-- What the numbers of each kind and unit come to, of those that a search finds: units are never mixed, and what was
-- entered in error or cancelled does not count. The planner drops what is null.
SELECT
    code.coding_system, code.coding_code, code.text AS code_text,
    observation.value_unit AS unit,
    count(*) AS total_count,
    count(observation.value_quantity) AS count,
    min(observation.effective_start) AS first,
    max(COALESCE(observation.effective_end, observation.effective_start)) AS last,
    avg(observation.value_quantity) AS average,
    min(observation.value_quantity) AS minimum,
    max(observation.value_quantity) AS maximum,
    sum(observation.value_quantity) AS sum,
    stddev_samp(observation.value_quantity) AS std_dev,
    var_samp(observation.value_quantity) AS variance,
    percentile_cont(ARRAY[0.2, 0.25, 0.5, 0.75, 0.8]) WITHIN GROUP (ORDER BY observation.value_quantity) AS percentiles
FROM granted_observations(
    %(user_id)s::bigint, %(roles)s::text[], %(patients)s::bigint[], %(studies)s::bigint[],
    %(organizations)s::bigint[], %(codes)s::bigint[]
) AS granted
JOIN core_observation AS observation USING (patient_id, code_id)
JOIN core_codeableconcept AS code ON code.id = observation.code_id
WHERE observation.status NOT IN ('entered-in-error', 'cancelled')
AND (%(starts_from)s::timestamptz IS NULL OR observation.effective_start >= %(starts_from)s)
AND (%(starts_before)s::timestamptz IS NULL OR observation.effective_start < %(starts_before)s)
AND (
    %(lasts_until)s::timestamptz IS NULL OR observation.effective_start >= %(lasts_until)s
    OR observation.effective_end >= %(lasts_until)s
)
AND observation_fits(
    observation, %(ids)s::bigint[], %(data_sources)s::bigint[], %(statuses)s::text[],
    %(ends_before)s::timestamptz, %(updated_from)s::timestamptz, %(updated_before)s::timestamptz
)
GROUP BY code.id, observation.value_unit
ORDER BY code.id, observation.value_unit
