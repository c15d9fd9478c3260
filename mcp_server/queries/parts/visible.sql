-- The patient and the study that were named are there for the caller.
(
    (
        :patient_id::bigint IS NULL OR EXISTS (
            SELECT FROM access_patient AS access
            WHERE access.patient_id = :patient_id AND access.user_id = :user_id AND access.role = ANY(:may_patient_read)
        )
    ) AND (
        :study_id::bigint IS NULL OR EXISTS (
            SELECT FROM access_study AS access
            WHERE access.study_id = :study_id AND access.user_id = :user_id AND access.role = ANY(:may_study_read)
            AND (:token_studies::bigint[] IS NULL OR access.study_id = ANY(:token_studies))
        )
    )
)
