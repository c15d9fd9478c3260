-- The patients of one study, by id: what they answered to each scope, and when they last sent what they consented to.
WITH /* include study */, enrolled AS (
    SELECT DISTINCT access.patient_id
    FROM access_enrolment AS access
    WHERE access.study_id = :study_id AND access.user_id = :user_id
    AND access.role = ANY(:may_patient_read) AND access.role = ANY(:may_consent_read)
), listed AS (
    SELECT patient.id, patient.name_given || ' ' || patient.name_family AS name
    FROM core_patient AS patient
    WHERE patient.id IN (
        SELECT enrolled.patient_id FROM enrolled WHERE enrolled.patient_id > :after_id ORDER BY 1 LIMIT :limit
    )
), readable AS (
    SELECT consent.patient_id, consent.code_id
    FROM core_studypatientscopeconsent AS consent
    WHERE consent.study_id = :study_id AND consent.consented
    AND consent.patient_id = ANY(ARRAY(SELECT id FROM listed))
    AND /* include shared_with_study */
), last_readings AS (
    SELECT DISTINCT ON (readable.patient_id) readable.patient_id, newest.effective_start, newest.utc_offset_minutes
    FROM readable CROSS JOIN LATERAL (
        SELECT observation.effective_start, observation.utc_offset_minutes
        FROM core_observation AS observation
        WHERE observation.patient_id = readable.patient_id AND observation.code_id = readable.code_id
        ORDER BY observation.effective_start DESC, observation.id DESC LIMIT 1
    ) AS newest
    ORDER BY readable.patient_id, newest.effective_start DESC
), answers AS (
    SELECT
        listed.id AS patient_id,
        COALESCE(json_agg(code.coding_code ORDER BY code.id) FILTER (WHERE consent.consented), '[]') AS consented,
        COALESCE(json_agg(code.coding_code ORDER BY code.id) FILTER (WHERE NOT consent.consented), '[]') AS declined,
        COALESCE(json_agg(code.coding_code ORDER BY code.id) FILTER (WHERE consent.id IS NULL), '[]') AS unanswered
    FROM listed
    JOIN core_studyscoperequest AS request ON request.study_id = :study_id
    JOIN core_codeableconcept AS code ON code.id = request.code_id
    LEFT JOIN core_studypatientscopeconsent AS consent
        ON consent.study_id = :study_id AND consent.patient_id = listed.id AND consent.code_id = code.id
    GROUP BY listed.id
)
SELECT
    json_build_object(
        'study_id', study.id,
        'name', study.name,
        'total', (SELECT count(*)::int FROM enrolled),
        'patients', (
            SELECT COALESCE(json_agg(json_build_object(
                'patient_id', listed.id,
                'name', listed.name,
                'consented', COALESCE(answers.consented, '[]'),
                'declined', COALESCE(answers.declined, '[]'),
                'unanswered', COALESCE(answers.unanswered, '[]'),
                'last_reading', iso_8601(last.effective_start, last.utc_offset_minutes)
            ) ORDER BY listed.id), '[]')
            FROM listed
            LEFT JOIN answers ON answers.patient_id = listed.id
            LEFT JOIN last_readings AS last ON last.patient_id = listed.id
        )
    ) AS body,
    ARRAY(SELECT id FROM listed ORDER BY id LIMIT :limit - 1) AS patient_ids
FROM study
