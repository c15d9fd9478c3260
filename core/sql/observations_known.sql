-- What is there already under the identifiers that were sent, by their place in the batch.
SELECT DISTINCT ON (sent.place)
    sent.place, observation.id, observation.code_id, observation.version_id
FROM unnest(%(places)s::int[], %(patient_ids)s::bigint[], %(systems)s::text[], %(values)s::text[])
    AS sent(place, patient_id, system, value)
JOIN core_observationidentifier AS identifier USING (patient_id, system, value)
JOIN core_observation AS observation ON observation.id = identifier.observation_id
ORDER BY sent.place, observation.id
