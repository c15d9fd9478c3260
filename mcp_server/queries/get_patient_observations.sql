-- A patient's observations along time, newest or oldest first, after a position, of one kind or of all that the caller
-- may read. Each kind is read along the index (patient, code, time, id), so a deep page costs what the first one does.
WITH /* include readable */, counted AS (
    SELECT COALESCE(sum(kind.n), 0)::bigint AS total
    FROM kinds CROSS JOIN LATERAL /* include how_many */ AS kind
), listed AS (
    SELECT reading.*, kinds.coding_code
    FROM kinds CROSS JOIN LATERAL (
        (
            SELECT observation.*
            FROM core_observation AS observation
            WHERE :newest_first::boolean
            AND observation.patient_id = :patient_id AND observation.code_id = kinds.code_id
            AND /* include in_window */
            AND (observation.effective_start, observation.id)
                < (COALESCE(:after_time::timestamptz, 'infinity'), COALESCE(:after_id::bigint, 0))
            ORDER BY observation.effective_start DESC, observation.id DESC LIMIT :rows
        ) UNION ALL (
            SELECT observation.*
            FROM core_observation AS observation
            WHERE NOT :newest_first
            AND observation.patient_id = :patient_id AND observation.code_id = kinds.code_id
            AND /* include in_window */
            AND (observation.effective_start, observation.id)
                > (COALESCE(:after_time, '-infinity'), COALESCE(:after_id, 0))
            ORDER BY observation.effective_start, observation.id LIMIT :rows
        )
    ) AS reading
    ORDER BY
        CASE WHEN :newest_first THEN reading.effective_start END DESC, CASE WHEN :newest_first THEN reading.id END DESC,
        reading.effective_start, reading.id
    LIMIT :rows
)
SELECT
    json_build_object(
        'patient_id', :patient_id,
        'total', counted.total,
        'data_types', ARRAY(SELECT kinds.coding_code FROM kinds ORDER BY kinds.code_id),
        'observations', (
            SELECT COALESCE(json_agg(json_build_object(
                'position', listed.effective_start,
                'observation_id', listed.id,
                'time', iso_8601(listed.effective_start, listed.utc_offset_minutes),
                'end', iso_8601(listed.effective_end, listed.utc_offset_minutes),
                'data_type', listed.coding_code,
                'value', listed.value_quantity,
                'unit', NULLIF(listed.value_unit, ''),
                'values', CASE WHEN listed.value_quantity IS NULL AND NOT size.too_long
                    THEN listed.omh_data -> 'body' #- '{effective_time_frame}' END,
                'status', NULLIF(listed.status, 'final'),
                'data_source', CASE WHEN :full::boolean THEN (
                    SELECT json_build_object('data_source_id', source.id, 'name', source.name, 'type', source.type)
                    FROM core_datasource AS source WHERE source.id = listed.data_source_id
                ) END,
                'omh_data', CASE WHEN :full AND NOT size.too_long THEN listed.omh_data END,
                'too_long', NULLIF(size.too_long, false)
            )), '[]')
            FROM listed CROSS JOIN LATERAL (
                SELECT (listed.value_quantity IS NULL OR :full) AND length(listed.omh_data::text) > 6000 AS too_long
            ) AS size
        )
    ) AS body,
    ARRAY[:patient_id] AS patient_ids
FROM counted
WHERE /* include known */
