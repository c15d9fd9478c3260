-- number     the numbers of `observation`, a row each: the one of a scalar kind, or those of the parts of another, such as
--            both blood pressures, or the parts of a sleep summary. Without any number, one row of NULLs.
--   component  the name of the part in the data point's body; NULL for a scalar
--   unit       as it was sent; NULL for what is only counted
--   is_first   so that an observation with several numbers is counted once
-- A body without a schema may hold anything: what no float holds, and more parts than any schema has, are left out.
LEFT JOIN LATERAL (
    SELECT
        left(measure.key, 60) AS component, left(measure.unit, 40) AS unit, measure.value::float8 AS value,
        row_number() OVER () = 1 AS is_first
    FROM (
        SELECT named.key, named.value ->> 'unit' AS unit, CASE 'number'
            WHEN jsonb_typeof(named.value) THEN named.value WHEN jsonb_typeof(named.value -> 'value')
            THEN named.value -> 'value' END::numeric AS value
        FROM jsonb_each(
            CASE WHEN observation.value_quantity IS NULL AND jsonb_typeof(observation.omh_data -> 'body') = 'object'
                THEN observation.omh_data -> 'body' END
        ) AS part
        CROSS JOIN LATERAL jsonb_each(CASE
            WHEN 'number' IN (jsonb_typeof(part.value), jsonb_typeof(part.value -> 'value'))
                THEN jsonb_build_object(part.key, part.value)
            WHEN jsonb_typeof(part.value) = 'object' THEN part.value
        END) AS named
        WHERE part.key <> 'effective_time_frame' AND named.key <> 'descriptive_statistic_denominator'
    ) AS measure
    WHERE measure.value = 0 OR abs(measure.value) BETWEEN 1e-300 AND 1e300
    LIMIT 50
) AS part ON true
CROSS JOIN LATERAL (
    SELECT
        part.component,
        CASE WHEN observation.value_quantity IS NULL THEN part.unit ELSE NULLIF(observation.value_unit, '') END AS unit,
        COALESCE(observation.value_quantity, part.value) AS value,
        COALESCE(part.is_first, true) AS is_first
) AS number
