-- Who stopped sending a kind of data, since when, and the gaps in what they sent: of one patient, or of a study's patients,
-- those without any first and then by how long they are silent, :limit of them after a position.
--
-- An observation of any status was sent. It lasts until its end, or is an instant; a gap is what no observation touches for
-- longer than :longer_than, from the end of one to the beginning of the next. Silence lasts until now, the time of the call.
-- total, never_sent, silent    patients whose consent lets the caller read: all; without an observation; silent for longer
-- patients     each: last (the end of the last), silent_hours, silent, gaps_total, gaps: the longest :most_gaps of them
WITH /* include readable */, kept AS MATERIALIZED (
    SELECT
        kinds.patient_id, kinds.code_id, lasting.until IS NOT NULL AS lasts,
        GREATEST(newest.effective_start, lasting.until) AS last,
        CASE WHEN lasting.until > newest.effective_start THEN lasting.utc_offset_minutes
            ELSE newest.utc_offset_minutes END AS utc_offset
    FROM kinds
    LEFT JOIN LATERAL (
        SELECT observation.effective_start, observation.utc_offset_minutes
        FROM core_observation AS observation
        WHERE observation.patient_id = kinds.patient_id AND observation.code_id = kinds.code_id
        ORDER BY observation.effective_start DESC, observation.id DESC LIMIT 1
    ) AS newest ON true
    LEFT JOIN LATERAL (
        SELECT observation.effective_end AS until, observation.utc_offset_minutes
        FROM core_observation AS observation
        WHERE observation.patient_id = kinds.patient_id AND observation.code_id = kinds.code_id
        AND observation.effective_end IS NOT NULL
        ORDER BY observation.effective_end DESC LIMIT 1
    ) AS lasting ON true
), people AS MATERIALIZED (
    SELECT DISTINCT ON (patient_id)
        patient_id, last, utc_offset, now() - last > :longer_than::interval AS silent,
        COALESCE(last, '-infinity') AS place
    FROM kept ORDER BY patient_id, last DESC NULLS LAST
), listed AS MATERIALIZED (
    SELECT * FROM people
    WHERE (place, patient_id) > (COALESCE(:after_time::timestamptz, '-infinity'), :after_id::bigint)
    ORDER BY place, patient_id LIMIT :limit
), sent AS (
    SELECT kinds.patient_id, observation.effective_start AS start, observation.effective_start AS until
    FROM kept AS kinds
    /* include all_observations */ -- instants, from the index alone
    WHERE NOT kinds.lasts AND kinds.patient_id IN (SELECT patient_id FROM listed)
    UNION ALL
    SELECT
        kinds.patient_id, observation.effective_start,
        COALESCE(observation.effective_end, observation.effective_start)
    FROM kept AS kinds
    /* include all_observations */
    WHERE kinds.lasts AND kinds.patient_id IN (SELECT patient_id FROM listed)
), gaps AS MATERIALIZED (
    SELECT
        patient_id, since, start AS until,
        row_number() OVER (PARTITION BY patient_id ORDER BY start - since DESC, start) AS place,
        count(*) OVER (PARTITION BY patient_id) AS n
    FROM (
        SELECT patient_id, start, max(until) OVER (
            PARTITION BY patient_id ORDER BY start ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS since
        FROM sent
    ) AS along
    WHERE start - since > :longer_than
), found AS (
    SELECT gaps.patient_id, max(gaps.n) AS n, json_agg(json_build_object(
        'start', iso_8601(gaps.since, (
            SELECT ended.utc_offset_minutes
            FROM kinds CROSS JOIN LATERAL (
                SELECT observation.utc_offset_minutes
                FROM core_observation AS observation
                WHERE observation.patient_id = kinds.patient_id AND observation.code_id = kinds.code_id
                AND observation.effective_start = gaps.since
                UNION ALL
                SELECT observation.utc_offset_minutes
                FROM core_observation AS observation
                WHERE observation.patient_id = kinds.patient_id AND observation.code_id = kinds.code_id
                AND observation.effective_end = gaps.since
            ) AS ended
            WHERE kinds.patient_id = gaps.patient_id LIMIT 1
        )),
        'end', iso_8601(gaps.until, (
            SELECT observation.utc_offset_minutes
            FROM kinds CROSS JOIN LATERAL (
                SELECT observation.utc_offset_minutes
                FROM core_observation AS observation
                WHERE observation.patient_id = kinds.patient_id AND observation.code_id = kinds.code_id
                AND observation.effective_start = gaps.until
                OFFSET 0
            ) AS observation
            WHERE kinds.patient_id = gaps.patient_id LIMIT 1
        )),
        'hours', round(EXTRACT(epoch FROM gaps.until - gaps.since) / 3600, 2)
    ) ORDER BY gaps.place) AS gaps
    FROM gaps
    WHERE gaps.place <= :most_gaps::int
    GROUP BY gaps.patient_id
)
SELECT
    json_build_object(
        'data_types', ARRAY(SELECT DISTINCT coding_code FROM kinds ORDER BY coding_code),
        'now', iso_8601(now(), NULL),
        'total', (SELECT count(*) FROM people),
        'never_sent', (SELECT count(*) FROM people WHERE last IS NULL),
        'silent', (SELECT count(*) FROM people WHERE silent),
        'patients', (
            SELECT COALESCE(json_agg(json_build_object(
                'patient_id', listed.patient_id,
                'name', concat_ws(' ', patient.name_given, patient.name_family),
                'position', listed.last,
                'last', iso_8601(listed.last, listed.utc_offset),
                'silent_hours', CASE WHEN listed.last IS NOT NULL
                    THEN GREATEST(0, round(EXTRACT(epoch FROM now() - listed.last) / 3600, 2)) END,
                'silent', listed.silent,
                'gaps_total', COALESCE(found.n, 0),
                'gaps', COALESCE(found.gaps, '[]')
            ) ORDER BY listed.place, listed.patient_id), '[]')
            FROM listed
            JOIN core_patient AS patient ON patient.id = listed.patient_id
            LEFT JOIN found ON found.patient_id = listed.patient_id
        )
    ) AS body,
    ARRAY(SELECT patient_id FROM kinds GROUP BY patient_id ORDER BY patient_id) AS patient_ids
WHERE /* include known */
