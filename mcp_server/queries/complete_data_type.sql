-- Kinds of data by a part of their code or name: those of :patient_id that the caller may read; those that :study_id
-- asks for; or, where neither is named, those that any study asks for that the caller may see.
WITH offered AS (
    SELECT access.code_id
    FROM access_observation AS access
    WHERE access.patient_id = :patient_id::bigint
    AND access.user_id = :user_id AND access.role = ANY(:may_observation_read)
    AND (access.study_id IS NULL OR :token_studies::bigint[] IS NULL OR access.study_id = ANY(:token_studies))
    UNION
    SELECT request.code_id
    FROM core_studyscoperequest AS request
    WHERE :patient_id IS NULL AND (:study_id::bigint IS NULL OR request.study_id = :study_id)
    AND EXISTS (
        SELECT FROM access_study AS access
        WHERE access.study_id = request.study_id AND access.user_id = :user_id AND access.role = ANY(:may_study_read)
    )
    AND (:token_studies IS NULL OR request.study_id = ANY(:token_studies))
), found AS (
    SELECT code.coding_code
    FROM core_codeableconcept AS code
    WHERE code.id IN (SELECT offered.code_id FROM offered)
    AND code.coding_code || ' ' || code.text ILIKE ALL (:words::text[])
)
SELECT
    json_build_object(
        'total', count(*)::int,
        'values', ARRAY(SELECT found.coding_code FROM found ORDER BY found.coding_code LIMIT :limit)
    ) AS body,
    array_remove(ARRAY[:patient_id], NULL) AS patient_ids
FROM found
