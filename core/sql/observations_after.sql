-- The next observations of an export, by id, as the doors render them: what the caller may read at this moment, or what
-- they may read through one study. IS TRUE keeps the planner from joining: each row is looked up in a hash of the grants
-- while the table is read once, in the order in which it lies.
-- As a COPY, so that the next rows are made while those before are rendered.
COPY (
    SELECT observation_row.*
    FROM (
        SELECT id
        FROM core_observation
        WHERE id > %(after)s AND id <= %(upto)s
        AND (%(since)s::timestamptz IS NULL OR last_updated > %(since)s)
        AND ((patient_id, code_id) IN (
            SELECT patient_id, code_id
            FROM granted_observations(%(user_id)s, %(roles)s::text[], NULL, %(studies)s::bigint[], NULL, NULL)
        )) IS TRUE
        ORDER BY id LIMIT %(limit)s
    ) AS page
    JOIN observation_row USING (id)
    ORDER BY id
) TO STDOUT
