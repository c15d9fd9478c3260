-- What the caller could have named, when what they named is not there for them: their first studies, or the kinds of data
-- of a patient or that a study asks for (NULL: not even those are there). Asked without the frame, after the audit row.
SELECT
    CASE WHEN :study_id::bigint IS NOT NULL THEN (
        SELECT string_agg(study.id || ' ' || to_json(left(study.name, 60)), ', ' ORDER BY study.id)
        FROM (
            SELECT study.id, study.name
            FROM core_study AS study
            WHERE EXISTS (
                SELECT FROM access_study AS access
                WHERE access.study_id = study.id AND access.user_id = :user_id AND access.role = ANY(:may_study_read)
            )
            AND (:token_studies::bigint[] IS NULL OR study.id = ANY(:token_studies))
            ORDER BY study.id LIMIT 20
        ) AS study
    ) END AS studies,
    CASE WHEN :data_type::text IS NOT NULL THEN (
        SELECT string_agg(CASE
            WHEN code.coding_code ~ '^[[:alnum:]._:-]+$' THEN code.coding_code ELSE to_json(code.coding_code)::text
        END, ', ' ORDER BY code.id)
        FROM core_codeableconcept AS code
        WHERE EXISTS (
            SELECT FROM access_observation AS access
            WHERE access.code_id = code.id AND access.patient_id = :patient_id
            AND access.user_id = :user_id AND access.role = ANY(:may_observation_read)
            AND (access.study_id IS NULL OR :token_studies IS NULL OR access.study_id = ANY(:token_studies))
        ) OR EXISTS (
            SELECT FROM core_studyscoperequest AS request
            JOIN access_study AS access USING (study_id)
            WHERE request.code_id = code.id AND request.study_id = :study_id
            AND access.user_id = :user_id AND access.role = ANY(:may_study_read)
            AND (:token_studies IS NULL OR access.study_id = ANY(:token_studies))
        )
    ) END AS data_types
