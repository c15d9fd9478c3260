-- Records a batch of observations in one statement. What comes again under an identifier that the patient already has is
-- left out, also when two senders race: whoever claims the identifier first records the observation.
-- Answers a row for each observation that claimed anything: its id, its place in the batch, and whether it was recorded
-- (false only when another observation holds some of its identifiers; its claims are then to be dropped).
-- What was recorded points to a row of core_ingest, which says who sent it; if nothing was, there is none.
WITH ingest AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('core_ingest', 'id')) AS id
), sent AS (
    SELECT nextval(pg_get_serial_sequence('core_observation', 'id')) AS id, given.*
    FROM unnest(
        %(patient_ids)s::bigint[], %(code_ids)s::bigint[], %(data_source_ids)s::bigint[], %(statuses)s::text[],
        %(starts)s::timestamptz[], %(ends)s::timestamptz[], %(offsets)s::smallint[],
        %(values)s::double precision[], %(units)s::text[], %(data)s::text[], %(extras)s::text[],
        %(identifier_counts)s::int[]
    ) WITH ORDINALITY AS given(
        patient_id, code_id, data_source_id, status, effective_start, effective_end, utc_offset_minutes,
        value_quantity, value_unit, omh_data, fhir_extra, identifier_count, place
    )
), claim AS (
    INSERT INTO core_observationidentifier (observation_id, patient_id, system, value)
    SELECT sent.id, sent.patient_id, identifier.system, identifier.value
    FROM unnest(%(identifier_places)s::bigint[], %(systems)s::text[], %(identifiers)s::text[])
        AS identifier(place, system, value)
    JOIN sent USING (place)
    ORDER BY identifier.system, identifier.value  -- racing senders take their claims in one order: no deadlock
    ON CONFLICT DO NOTHING
    RETURNING observation_id
), claimed AS (
    SELECT sent.id, count(claim.observation_id) AS claims
    FROM sent LEFT JOIN claim ON claim.observation_id = sent.id
    GROUP BY sent.id
), recorded AS (
    INSERT INTO core_observation (
        id, patient_id, code_id, data_source_id, status, effective_start, effective_end, utc_offset_minutes,
        value_quantity, value_unit, omh_data, fhir_extra, ingest_id, last_updated
    )
    SELECT
        sent.id, patient_id, code_id, data_source_id, status, effective_start, effective_end, utc_offset_minutes,
        value_quantity, value_unit, omh_data::jsonb, fhir_extra::jsonb, ingest.id, statement_timestamp()
    FROM sent JOIN claimed USING (id) CROSS JOIN ingest
    WHERE claims = identifier_count
    ORDER BY place
    RETURNING id, patient_id
), remembered AS (
    INSERT INTO core_ingest (
        id, recorded, user_id, client_id, door, activity, patient_ids, recorded_count, known_count,
        first_observation_id, last_observation_id
    )
    SELECT
        (SELECT id FROM ingest), statement_timestamp(), %(user_id)s, %(client_id)s, %(door)s, %(activity)s,
        array_agg(DISTINCT patient_id), count(*), (SELECT count(*) FROM sent) - count(*), min(id), max(id)
    FROM recorded
    HAVING count(*) > 0
)
SELECT sent.id, sent.place - 1 AS place, recorded.id IS NOT NULL AS is_recorded
FROM sent
JOIN claimed USING (id)
LEFT JOIN recorded USING (id)
WHERE claimed.claims > 0 OR recorded.id IS NOT NULL
ORDER BY sent.place
