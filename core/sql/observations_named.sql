-- The observations that have one of the identifiers, of those that the caller may read. Identifiers are found by
-- patient and value, so this asks once per patient.
SELECT DISTINCT observation.id
FROM (
    SELECT DISTINCT granted.patient_id
    FROM granted_observations(
        %(user_id)s::bigint, %(roles)s::text[], %(patients)s::bigint[], %(studies)s::bigint[],
        %(organizations)s::bigint[], %(codes)s::bigint[]
    ) AS granted
) AS reached
CROSS JOIN unnest(%(systems)s::text[], %(values)s::text[]) AS wanted(system, value)
JOIN core_observationidentifier AS identifier
    ON identifier.patient_id = reached.patient_id AND identifier.value = wanted.value
    AND (wanted.system IS NULL OR identifier.system = wanted.system)
JOIN core_observation AS observation ON observation.id = identifier.observation_id
WHERE (observation.patient_id, observation.code_id) IN (
    SELECT granted.patient_id, granted.code_id
    FROM granted_observations(
        %(user_id)s::bigint, %(roles)s::text[], %(patients)s::bigint[], %(studies)s::bigint[],
        %(organizations)s::bigint[], %(codes)s::bigint[]
    ) AS granted
)
