-- What stands against sending these kinds of observations of these patients from these devices, for all that a sender
-- asks at a time. A row each: the kind's id, and the first of the answers that is no is why it is refused.
-- A token that is narrowed to kinds of data has the letter of SMART's `cruds` for this one.
-- The device is known, sends this kind (or says of none what it sends), and belongs to the study if that names its own.
SELECT
    asked.place - 1 AS place,
    code.id AS code_id,
    EXISTS (
        SELECT FROM access_patient AS access
        WHERE access.user_id = %(user_id)s AND access.role = ANY(%(may_read_patient)s)
        AND access.patient_id = asked.patient_id
    ) AS patient_is_visible,
    EXISTS (
        SELECT FROM access_patient AS access
        WHERE access.user_id = %(user_id)s AND access.role = ANY(%(may_write)s)
        AND access.patient_id = asked.patient_id
    ) AS role_allows,
    NOT EXISTS (
        SELECT FROM core_narrowing AS narrowing
        WHERE narrowing.id = %(user_id)s AND NOT narrowing.every_code AND NOT EXISTS (
            SELECT FROM core_narrowingcode AS left_over
            WHERE left_over.narrowing_id = narrowing.id AND left_over.code_id = code.id
            AND position(%(letter)s IN left_over.letters) > 0
        )
    ) AS scope_covers,
    upload.studies IS NOT NULL AS is_consented,
    asked.data_source_id IS NULL OR (
        EXISTS (SELECT FROM core_datasource AS source WHERE source.id = asked.data_source_id)
        AND (
            NOT EXISTS (
                SELECT FROM core_datasourcesupportedscope AS supported
                WHERE supported.data_source_id = asked.data_source_id
            )
            OR EXISTS (
                SELECT FROM core_datasourcesupportedscope AS supported
                WHERE supported.data_source_id = asked.data_source_id AND supported.code_id = code.id
            )
        )
    ) AS device_sends_this,
    asked.data_source_id IS NULL OR EXISTS (
        SELECT FROM unnest(upload.studies) AS study(id)
        WHERE NOT EXISTS (SELECT FROM core_studydatasource AS named WHERE named.study_id = study.id)
        OR EXISTS (
            SELECT FROM core_studydatasource AS named
            WHERE named.study_id = study.id AND named.data_source_id = asked.data_source_id
        )
    ) AS device_is_the_studys
FROM unnest(%(patient_ids)s::bigint[], %(systems)s::text[], %(codes)s::text[], %(data_source_ids)s::bigint[])
    WITH ORDINALITY AS asked(patient_id, system, code, data_source_id, place)
LEFT JOIN core_codeableconcept AS code ON code.coding_code = asked.code AND code.coding_system = asked.system
CROSS JOIN LATERAL (
    SELECT array_agg(access.study_id) AS studies
    FROM access_upload AS access
    WHERE access.user_id = %(user_id)s AND access.role = ANY(%(may_write)s)
    AND access.patient_id = asked.patient_id AND access.code_id = code.id
) AS upload
ORDER BY asked.place
