-- The rows that an upload leaves, and nothing else: no identifier is looked for, nothing is checked, nothing is noted.
WITH sent AS (
    SELECT nextval(pg_get_serial_sequence('core_observation', 'id')) AS id, given.*
    FROM unnest(%(starts)s::timestamptz[], %(values)s::double precision[], %(data)s::text[], %(identifiers)s::text[])
        AS given(effective_start, value_quantity, omh_data, identifier)
), identified AS (
    INSERT INTO core_observationidentifier (observation_id, patient_id, system, value)
    SELECT id, %(patient_id)s, 'urn:ietf:rfc:3986', identifier FROM sent
)
INSERT INTO core_observation (
    id, patient_id, code_id, status, effective_start, utc_offset_minutes, value_quantity, value_unit, omh_data
)
SELECT
    id, %(patient_id)s, %(code_id)s, 'final', effective_start, 0, value_quantity, 'mg/dL', omh_data::jsonb
FROM sent
