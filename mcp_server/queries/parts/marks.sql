-- wanted   what is watched: its kind, the id and data_type that its URI names, and the moment from which changes count
-- marks    each with a mark, which is another as soon as there is something new; NULL while the caller may not see it
wanted AS (
    SELECT *
    FROM unnest(:kinds::text[], :ids::bigint[], :data_types::text[], :since::timestamptz[])
        WITH ORDINALITY AS wanted (kind, id, data_type, since, place)
), marks AS MATERIALIZED (
    SELECT wanted.place, wanted.kind, wanted.id, CASE wanted.kind
        WHEN 'studies' THEN (
            SELECT COALESCE(md5(string_agg(study.id || ' ' || study.version_id, ',' ORDER BY study.id)), '')
            FROM core_study AS study
            WHERE EXISTS (
                SELECT FROM access_study AS access
                WHERE access.study_id = study.id AND access.user_id = :user_id AND access.role = ANY(:may_study_read)
            )
            AND (:token_studies::bigint[] IS NULL OR study.id = ANY(:token_studies))
        )
        WHEN 'study' THEN (
            SELECT study.version_id || ' ' || (
                SELECT count(DISTINCT access.patient_id)
                FROM access_enrolment AS access
                WHERE access.study_id = study.id
                AND access.user_id = :user_id AND access.role = ANY(:may_patient_read)
            )
            FROM core_study AS study
            WHERE study.id = wanted.id
            AND EXISTS (
                SELECT FROM access_study AS access
                WHERE access.study_id = study.id AND access.user_id = :user_id AND access.role = ANY(:may_study_read)
            )
            AND (:token_studies IS NULL OR study.id = ANY(:token_studies))
        )
        WHEN 'patient' THEN (
            SELECT patient.version_id::text
            FROM core_patient AS patient
            WHERE patient.id = wanted.id
            AND EXISTS (
                SELECT FROM access_patient AS access
                WHERE access.patient_id = patient.id
                AND access.user_id = :user_id AND access.role = ANY(:may_patient_read)
            )
        )
        WHEN 'observations' THEN ( -- along the index (patient, code, last change)
            SELECT string_agg(concat_ws(' ', code.id, new.n, new.last), ',' ORDER BY code.id)
            FROM core_codeableconcept AS code CROSS JOIN LATERAL (
                SELECT count(*) AS n, max(observation.last_updated) AS last
                FROM core_observation AS observation
                WHERE observation.patient_id = wanted.id AND observation.code_id = code.id
                AND observation.last_updated >= wanted.since
            ) AS new
            WHERE wanted.data_type IN (
                lower(code.coding_code), split_part(lower(code.coding_code), ':', 2),
                translate(lower(code.text), ' _', '--')
            )
            AND EXISTS (
                SELECT FROM access_observation AS access
                WHERE access.patient_id = wanted.id AND access.code_id = code.id
                AND access.user_id = :user_id AND access.role = ANY(:may_observation_read)
                AND (
                    access.study_id IS NULL OR :token_studies IS NULL OR access.study_id = ANY(:token_studies)
                )
            )
        )
    END AS mark
    FROM wanted
)
