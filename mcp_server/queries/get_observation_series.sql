-- A patient's numbers of one kind along local time: each (raw), or summed up in buckets, as fine as fits into an answer.
-- Made of what FHIR's $stats is made of; an observation that lasts counts where it begins.
--
-- A minute or hour is one of the clock, with its offset: an hour that the clocks repeat is two. A day, week (from Monday) or
-- month is one of the patient's calendar, whatever the offsets in it.
-- fitting    the resolutions that would fit, the finest first; `resolution` the one of the points
-- total      the points at that resolution; raw ones that do not fit are left out from the end, whole observations
-- series     for each kind, component and unit: n, points as arrays: [time, value], or [time, n, mean, min, max]: the
--            mean to twelve digits, so that mean times n is the sum, the others as they were recorded
WITH /* include readable */, numbers AS MATERIALIZED (
    SELECT
        kinds.coding_code, number.component, number.unit, number.value, observation.id, observation.effective_start,
        observation.utc_offset_minutes AS utc_offset, /* include local_time */ AS local
    FROM kinds
    /* include observations */
    /* include numbers */
    WHERE /* include statistical */
), minutes AS MATERIALIZED (
    SELECT
        coding_code, component, unit, date_trunc('minute', local) AS local, utc_offset,
        count(*) AS n, sum(value) AS total, min(value) AS lowest, max(value) AS highest
    FROM numbers WHERE value IS NOT NULL
    GROUP BY coding_code, component, unit, date_trunc('minute', local), utc_offset
), hours AS MATERIALIZED (
    SELECT
        coding_code, component, unit, date_trunc('hour', local) AS local, utc_offset,
        sum(n)::bigint AS n, sum(total) AS total, min(lowest) AS lowest, max(highest) AS highest
    FROM minutes
    GROUP BY coding_code, component, unit, date_trunc('hour', local), utc_offset
), buckets AS MATERIALIZED (
    SELECT 2 AS coarseness, * FROM minutes
    UNION ALL
    SELECT 3, * FROM hours
    UNION ALL
    SELECT
        calendar.coarseness, coding_code, component, unit, calendar.starts, NULL,
        sum(n)::bigint, sum(total), min(lowest), max(highest)
    FROM hours CROSS JOIN LATERAL (VALUES
        (4, date_trunc('day', local)), (5, date_trunc('week', local)), (6, date_trunc('month', local))
    ) AS calendar(coarseness, starts)
    GROUP BY calendar.coarseness, coding_code, component, unit, calendar.starts
), counts AS MATERIALIZED (
    SELECT 1 AS coarseness, count(value) AS n FROM numbers
    UNION ALL
    SELECT coarseness, count(*) FROM buckets GROUP BY coarseness
), raw AS MATERIALIZED ( -- whole observations: those that begin and were recorded together have one place
    SELECT * FROM (
        SELECT
            coding_code, component, unit, effective_start AS at, id, point,
            count(*) OVER whole AS number, sum(length(replace(point::text, ' ', '')) + 1) OVER whole AS characters
        FROM numbers CROSS JOIN LATERAL (
            SELECT json_build_array(iso_8601(effective_start, utc_offset), value) AS point
        ) AS pointed
        WHERE value IS NOT NULL AND (:resolution = 'raw' OR :resolution = 'auto' AND (
            SELECT n FROM counts WHERE coarseness = 1
        ) <= :most_points::int)
        WINDOW whole AS (ORDER BY effective_start, id)
    ) AS along
    WHERE number <= :most_points AND characters <= :most_characters::int
), pointed AS MATERIALIZED (
    SELECT
        coarseness, coding_code, component, unit, n, instant.at,
        json_build_array(
            CASE WHEN coarseness < 4 THEN iso_8601(instant.at, utc_offset) ELSE local::date::text END,
            n, to_char(total / n, '9.99999999999EEEE')::float8, lowest, highest
        ) AS point
    FROM buckets CROSS JOIN LATERAL (
        SELECT (local - make_interval(mins => COALESCE(utc_offset, 0))) AT TIME ZONE 'UTC' AS at
    ) AS instant
    WHERE coarseness IN (SELECT counts.coarseness FROM counts WHERE counts.n <= :most_points)
), fitting AS MATERIALIZED (
    SELECT coarseness FROM pointed
    GROUP BY coarseness
    HAVING sum(length(replace(point::text, ' ', '')) + 1) + 200 * count(DISTINCT (coding_code, component, unit))
        <= :most_characters
    UNION ALL
    SELECT 1 FROM raw HAVING count(*) = (SELECT n FROM counts WHERE coarseness = 1)
), names AS (
    SELECT * FROM (VALUES (1, 'raw'), (2, 'minute'), (3, 'hour'), (4, 'day'), (5, 'week'), (6, 'month'))
        AS names(coarseness, name)
), chosen AS MATERIALIZED (
    SELECT coarseness, name FROM names
    WHERE CASE :resolution WHEN 'auto' THEN coarseness = (SELECT min(coarseness) FROM fitting)
        ELSE name = :resolution END
), points AS (
    SELECT coding_code, component, unit, 1::bigint AS n, at, id, point FROM raw
    WHERE EXISTS (SELECT FROM chosen WHERE name = 'raw')
    UNION ALL
    SELECT coding_code, component, unit, n, at, 0, point FROM pointed
    WHERE coarseness = (SELECT coarseness FROM chosen) AND coarseness IN (SELECT coarseness FROM fitting)
)
SELECT
    json_build_object(
        'patient_id', :patient_id,
        'data_types', ARRAY(SELECT kinds.coding_code FROM kinds ORDER BY kinds.code_id),
        'observations', (SELECT count(DISTINCT id) FROM numbers),
        'resolution', (SELECT name FROM chosen),
        'fitting', ARRAY(SELECT name FROM fitting JOIN names USING (coarseness) ORDER BY coarseness),
        'total', COALESCE((SELECT n FROM counts JOIN chosen USING (coarseness)), 0),
        'returned', (SELECT count(*) FROM points),
        'utc_offsets', (
            SELECT COALESCE(json_agg(json_build_object(
                'utc_offset', utc_offset, 'n', n, 'first', first, 'last', last
            ) ORDER BY since), '[]')
            FROM (
                SELECT
                    min(effective_start) AS since, count(DISTINCT id) AS n,
                    substr(iso_8601(min(effective_start), utc_offset), 20) AS utc_offset,
                    iso_8601(min(effective_start), utc_offset) AS first,
                    iso_8601(max(effective_start), utc_offset) AS last
                FROM numbers GROUP BY numbers.utc_offset ORDER BY min(effective_start) LIMIT 20
            ) AS offsets
        ),
        'series', (
            SELECT COALESCE(json_agg(json_build_object(
                'data_type', coding_code,
                'component', component,
                'unit', unit,
                'n', n,
                'points', points
            ) ORDER BY coding_code, component NULLS FIRST, unit), '[]')
            FROM (
                SELECT coding_code, component, unit, sum(n)::bigint AS n, json_agg(point ORDER BY at, id) AS points
                FROM points GROUP BY coding_code, component, unit
            ) AS drawn
        )
    ) AS body,
    ARRAY[:patient_id] AS patient_ids
WHERE /* include known */
