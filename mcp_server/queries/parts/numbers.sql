-- number     the numbers of `observation`, a row each: the one of a scalar kind, or those of the parts of another, such as
--            both blood pressures, or the parts of a sleep summary. Without any number, one row of NULLs.
--   component  the name of the part in the data point's body; NULL for a scalar
--   unit       as it was sent; NULL for what is only counted
--   is_first   so that an observation with several numbers is counted once
CROSS JOIN LATERAL (
    SELECT NULL::text AS component, observation.value_unit AS unit, observation.value_quantity AS value, true AS is_first
    WHERE observation.value_quantity IS NOT NULL
    UNION ALL
    SELECT named.component, named.unit, named.value, row_number() OVER () = 1
    FROM (VALUES (1)) AS one
    LEFT JOIN LATERAL (
        SELECT
            inner_part.key AS component, inner_part.value ->> 'unit' AS unit,
            COALESCE(inner_part.value -> 'value', inner_part.value)::float8 AS value
        FROM jsonb_each(observation.omh_data -> 'body' #- '{effective_time_frame}') AS part
        CROSS JOIN LATERAL jsonb_each(CASE
            WHEN jsonb_typeof(part.value) = 'number' OR jsonb_typeof(part.value -> 'value') = 'number'
                THEN jsonb_build_object(part.key, part.value)
            WHEN jsonb_typeof(part.value) = 'object' THEN part.value
        END) AS inner_part
        WHERE jsonb_typeof(inner_part.value) = 'number' OR jsonb_typeof(inner_part.value -> 'value') = 'number'
        LIMIT 50 -- no schema has as many
    ) AS named ON true
    WHERE observation.value_quantity IS NULL
) AS number
