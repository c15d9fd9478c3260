-- Who looked at one patient, the newest first, :limit of them with ids below :before: all accesses for those whose log it
-- is (the patient, managers, superusers), their own for everybody else. Which these are, core/sql/access_log_v1.sql says.
-- A day is one of UTC: an access has no local time.
WITH accesses AS MATERIALIZED (
    SELECT *
    FROM access_log(
        :user_id, :may_access_log_read, :patient_id,
        COALESCE(:start_local::timestamp AT TIME ZONE 'UTC', :start_utc::timestamptz),
        COALESCE(:end_local::timestamp AT TIME ZONE 'UTC', :end_utc::timestamptz),
        :before::bigint, :limit::int
    )
)
SELECT
    json_build_object(
        'patient_id', :patient_id,
        'sees', (SELECT sees FROM accesses LIMIT 1),
        'total', (SELECT total FROM accesses LIMIT 1),
        'accesses', (
            SELECT COALESCE(json_agg(json_build_object(
                'access_id', access.id,
                'time', iso_8601(access.recorded, NULL),
                'who', CASE
                    WHEN access.user_id IS NULL THEN 'The exchange itself'
                    WHEN person.id IS NOT NULL AND access.practitioner_id IS NULL THEN CASE
                        WHEN known.yes THEN concat_ws(' ', person.name_given, person.name_family) ELSE 'A patient'
                    END
                    WHEN access.name IS NULL THEN 'Somebody who is no longer known'
                    WHEN access.name = '' THEN 'A user'
                    ELSE access.name
                END,
                'role', CASE
                    WHEN access.user_id IS NULL THEN 'exchange'
                    WHEN access.practitioner_id IS NOT NULL THEN 'practitioner'
                    WHEN person.id IS NOT NULL THEN 'patient'
                    ELSE 'user'
                END,
                'is_you', access.user_id IS NOT DISTINCT FROM :person_id,
                'client', COALESCE((
                    SELECT client.name FROM oauth2_provider_application AS client
                    WHERE client.client_id = access.client_id AND client.name <> ''
                ), NULLIF(access.client_id, '')),
                'door', access.door,
                'action', access.action,
                'outcome', access.outcome,
                'study_id', access.study_id,
                'address', NULLIF(access.source, '')
            ) ORDER BY access.id DESC), '[]')
            FROM accesses AS access
            LEFT JOIN core_patient AS person ON person.user_id = access.user_id
            CROSS JOIN LATERAL (
                SELECT EXISTS (
                    SELECT FROM access_patient AS may
                    WHERE may.patient_id = person.id AND may.user_id = :user_id AND may.role = ANY(:may_patient_read)
                ) AS yes
            ) AS known
            WHERE access.id IS NOT NULL
        )
    ) AS body,
    ARRAY[:patient_id::bigint] AS patient_ids
WHERE /* include visible */
