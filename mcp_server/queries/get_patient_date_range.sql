-- From when to when a patient has data, of one kind or of all that the caller may read, and on how many local days.
--
-- n              observations of every status
-- first, last    the beginning of the first; the end of what lasts longest, or its time where it has none
-- days_covered   local days on which one begins, each counted once
-- data_types     the same for each kind, those without data too
WITH /* include readable */, days AS MATERIALIZED (
    SELECT
        kinds.code_id, (/* include local_time */)::date AS day, observation.utc_offset_minutes AS utc_offset,
        count(*) AS n,
        min(observation.effective_start) AS first,
        max(COALESCE(observation.effective_end, observation.effective_start)) AS last
    FROM kinds
    /* include all_observations */
    GROUP BY kinds.code_id, day, utc_offset
), ranges AS (
    SELECT
        code_id,
        sum(n)::bigint AS n,
        (array_agg(iso_8601(first, utc_offset) ORDER BY first, utc_offset))[1] AS first,
        (array_agg(iso_8601(last, utc_offset) ORDER BY last DESC, utc_offset))[1] AS last,
        count(DISTINCT day) AS days_covered
    FROM days
    GROUP BY GROUPING SETS ((code_id), ())
)
SELECT
    json_build_object(
        'patient_id', :patient_id,
        'n', COALESCE(overall.n, 0),
        'first', overall.first,
        'last', overall.last,
        'days_covered', overall.days_covered,
        'data_types', (
            SELECT COALESCE(json_agg(json_build_object(
                'data_type', kinds.coding_code,
                'name', kinds.text,
                'n', COALESCE(ranges.n, 0),
                'first', ranges.first,
                'last', ranges.last,
                'days_covered', COALESCE(ranges.days_covered, 0)
            ) ORDER BY kinds.code_id), '[]')
            FROM kinds LEFT JOIN ranges USING (code_id)
        )
    ) AS body,
    ARRAY[:patient_id] AS patient_ids
FROM ranges AS overall
WHERE overall.code_id IS NULL AND (/* include known */)
