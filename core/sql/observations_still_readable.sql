-- Which of these observations the caller may read at this moment, or may read through one study, and whose they are.
SELECT id, patient_id
FROM core_observation
WHERE id = ANY(%(ids)s::bigint[])
AND ((patient_id, code_id) IN (
    SELECT patient_id, code_id
    FROM granted_observations(%(user_id)s, %(roles)s::text[], NULL, %(studies)s::bigint[], NULL, NULL)
)) IS TRUE
