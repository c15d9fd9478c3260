-- The caller may read what the answer `consent` shares with :study_id: through this study, or as the participant.
EXISTS (
    SELECT FROM access_observation AS access
    WHERE access.patient_id = consent.patient_id AND access.code_id = consent.code_id
    AND (access.study_id = :study_id OR access.study_id IS NULL)
    AND access.user_id = :user_id AND access.role = ANY(:may_observation_read)
)
