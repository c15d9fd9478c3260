-- Patients by name, birth date or identifier, by id, with the studies that the caller may know they take part in.
WITH visible AS MATERIALIZED ( -- a fence: the planner cannot know how little the conditions below leave out
    SELECT patient.*
    FROM core_patient AS patient
    WHERE EXISTS (
        SELECT FROM access_patient AS access
        WHERE access.patient_id = patient.id AND access.user_id = :user_id AND access.role = ANY(:may_patient_read)
    )
), found AS (
    SELECT patient.id, patient.name_given || ' ' || patient.name_family AS name, patient.birth_date
    FROM visible AS patient
    WHERE patient.name_given || ' ' || patient.name_family ILIKE ALL (:name_words::text[])
    AND patient.name_family ILIKE ALL (:family_words::text[])
    AND patient.name_given ILIKE ALL (:given_words::text[])
    AND (:birthdate::date IS NULL OR patient.birth_date = :birthdate)
    AND (:identifier::text IS NULL OR EXISTS (
        SELECT FROM core_patientidentifier AS identifier
        WHERE identifier.patient_id = patient.id
        AND :identifier IN (identifier.value, identifier.system || '|' || identifier.value)
    ))
    AND (:study_id::bigint IS NULL OR patient.id IN (
        SELECT access.patient_id FROM access_enrolment AS access
        WHERE access.study_id = :study_id AND access.user_id = :user_id AND access.role = ANY(:may_patient_read)
    ))
), listed AS (
    SELECT * FROM found WHERE found.id > :after_id ORDER BY found.id LIMIT :limit
), taking_part AS (
    SELECT enrolled.patient_id, json_agg(
        json_build_object('study_id', study.id, 'name', study.name) ORDER BY study.id
    ) AS studies
    FROM (
        SELECT DISTINCT access.patient_id, access.study_id
        FROM access_enrolment AS access
        WHERE access.patient_id = ANY(ARRAY(SELECT id FROM listed))
        AND access.user_id = :user_id AND access.role = ANY(:may_patient_read)
        AND (:token_studies::bigint[] IS NULL OR access.study_id = ANY(:token_studies))
    ) AS enrolled
    JOIN core_study AS study ON study.id = enrolled.study_id
    GROUP BY enrolled.patient_id
)
SELECT
    json_build_object(
        'total', (SELECT count(*)::int FROM found),
        'patients', (
            SELECT COALESCE(json_agg(json_build_object(
                'patient_id', listed.id,
                'name', listed.name,
                'birth_date', listed.birth_date,
                'studies', COALESCE(taking_part.studies, '[]')
            ) ORDER BY listed.id), '[]')
            FROM listed LEFT JOIN taking_part ON taking_part.patient_id = listed.id
        )
    ) AS body,
    ARRAY(SELECT id FROM listed ORDER BY id LIMIT :limit - 1) AS patient_ids
WHERE :study_id IS NULL OR EXISTS (
    SELECT FROM access_study AS access
    WHERE access.study_id = :study_id AND access.user_id = :user_id AND access.role = ANY(:may_study_read)
    AND (:token_studies IS NULL OR access.study_id = ANY(:token_studies))
)
