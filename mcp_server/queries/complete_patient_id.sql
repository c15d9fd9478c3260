-- Ids of patients that the caller may see, of one study or of all, by how they begin or by words of the patient's name.
WITH visible AS MATERIALIZED ( -- a fence: the planner cannot know how little the conditions below leave out
    SELECT patient.id, patient.name_given || ' ' || patient.name_family AS name
    FROM core_patient AS patient
    WHERE EXISTS (
        SELECT FROM access_patient AS access
        WHERE access.patient_id = patient.id AND access.user_id = :user_id AND access.role = ANY(:may_patient_read)
    )
    AND (:study_id::bigint IS NULL OR patient.id IN (
        SELECT access.patient_id FROM access_enrolment AS access
        WHERE access.study_id = :study_id AND access.user_id = :user_id AND access.role = ANY(:may_patient_read)
        AND (:token_studies::bigint[] IS NULL OR access.study_id = ANY(:token_studies))
    ))
), found AS (
    SELECT visible.id FROM visible
    WHERE visible.id::text LIKE :beginning OR visible.name ILIKE ALL (:words::text[])
), listed AS (
    SELECT found.id FROM found ORDER BY found.id LIMIT :limit
)
SELECT
    json_build_object(
        'total', (SELECT count(*)::int FROM found),
        'values', ARRAY(SELECT listed.id::text FROM listed ORDER BY listed.id)
    ) AS body,
    ARRAY(SELECT listed.id FROM listed ORDER BY listed.id) AS patient_ids
