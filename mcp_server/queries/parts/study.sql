-- study   :study_id, where it is there for the caller
study AS (
    SELECT study.*
    FROM core_study AS study
    WHERE study.id = :study_id
    AND EXISTS (
        SELECT FROM access_study AS access
        WHERE access.study_id = study.id AND access.user_id = :user_id AND access.role = ANY(:may_study_read)
    )
    AND (:token_studies::bigint[] IS NULL OR study.id = ANY(:token_studies))
)
