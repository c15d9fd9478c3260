-- One study: what it asks for, who sends to it, and what of it reaches the caller.
-- Patients, answers and observations count only where the caller may see them, so a participant counts alone.
WITH /* include study */, enrolled AS (
    SELECT DISTINCT access.patient_id
    FROM access_enrolment AS access
    WHERE access.study_id = :study_id AND access.user_id = :user_id AND access.role = ANY(:may_patient_read)
), answered AS (
    SELECT
        consent.code_id,
        count(*) FILTER (WHERE consent.consented)::int AS consented,
        count(*) FILTER (WHERE NOT consent.consented)::int AS declined
    FROM core_studypatientscopeconsent AS consent
    WHERE consent.study_id = :study_id
    AND consent.patient_id IN (
        SELECT access.patient_id FROM access_enrolment AS access
        WHERE access.study_id = :study_id AND access.user_id = :user_id AND access.role = ANY(:may_consent_read)
    )
    GROUP BY consent.code_id
), readable AS (
    SELECT consent.patient_id, consent.code_id
    FROM core_studypatientscopeconsent AS consent
    WHERE consent.study_id = :study_id AND consent.consented
    AND /* include shared_with_study */
), readings AS (
    SELECT sum(kind.n)::bigint AS n, min(kind.first) AS first, max(kind.last) AS last
    FROM readable CROSS JOIN LATERAL (
        SELECT count(*) AS n, min(observation.effective_start) AS first, max(observation.effective_start) AS last
        FROM core_observation AS observation
        WHERE observation.patient_id = readable.patient_id AND observation.code_id = readable.code_id
    ) AS kind
)
SELECT
    json_build_object(
        'study_id', study.id,
        'name', study.name,
        'description', CASE WHEN length(study.description) > 4000
            THEN left(study.description, 3999) || '…' ELSE study.description END,
        'organization', json_build_object('organization_id', organization.id, 'name', organization.name),
        'scopes', (
            SELECT COALESCE(json_agg(json_build_object(
                'data_type', code.coding_code,
                'name', code.text,
                'consented', COALESCE(answered.consented, 0),
                'declined', COALESCE(answered.declined, 0),
                'unanswered', people.n - COALESCE(answered.consented + answered.declined, 0),
                'consent_rate', round(100.0 * COALESCE(answered.consented, 0) / NULLIF(people.n, 0), 1)
            ) ORDER BY code.id), '[]')
            FROM core_studyscoperequest AS request
            JOIN core_codeableconcept AS code ON code.id = request.code_id
            LEFT JOIN answered ON answered.code_id = code.id
            WHERE request.study_id = study.id
        ),
        'data_sources', (
            SELECT COALESCE(json_agg(json_build_object(
                'data_source_id', source.id, 'name', source.name, 'type', source.type
            ) ORDER BY source.id), '[]')
            FROM core_studydatasource AS link
            JOIN core_datasource AS source ON source.id = link.data_source_id
            WHERE link.study_id = study.id
        ),
        'clients', (
            SELECT COALESCE(json_agg(json_build_object(
                'client_id', client.client_id, 'name', client.name
            ) ORDER BY client.id), '[]')
            FROM core_studyclient AS link
            JOIN oauth2_provider_application AS client ON client.id = link.client_id
            WHERE link.study_id = study.id
        ),
        'patients', people.n,
        'observations', COALESCE(readings.n, 0),
        'first_reading', readings.first,
        'last_reading', readings.last,
        'time_zone', 'UTC'
    ) AS body,
    ARRAY(SELECT patient_id FROM readable UNION SELECT patient_id FROM enrolled) AS patient_ids
FROM study
JOIN core_organization AS organization ON organization.id = study.organization_id
CROSS JOIN (SELECT count(*)::int AS n FROM enrolled) AS people
CROSS JOIN readings
