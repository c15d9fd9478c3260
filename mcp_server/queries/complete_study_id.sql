-- Ids of studies that the caller may see, by how they begin or by words of the study's name.
WITH found AS (
    SELECT study.id
    FROM core_study AS study
    WHERE EXISTS (
        SELECT FROM access_study AS access
        WHERE access.study_id = study.id AND access.user_id = :user_id AND access.role = ANY(:may_study_read)
    )
    AND (:token_studies::bigint[] IS NULL OR study.id = ANY(:token_studies))
    AND (study.id::text LIKE :beginning OR study.name ILIKE ALL (:words::text[]))
)
SELECT
    json_build_object(
        'total', count(*)::int, 'values', ARRAY(SELECT found.id::text FROM found ORDER BY found.id LIMIT :limit)
    ) AS body,
    '{}'::bigint[] AS patient_ids
FROM found
