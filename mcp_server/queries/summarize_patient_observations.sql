-- What the numbers of a patient come to, for each kind, component and unit that the caller may read. Units are never mixed.
-- Equal to FHIR's $stats: what was entered in error or cancelled does not count.
--
-- n              observations with this number; where component and unit are null, those without any
-- first, last    the beginning of the first; the end of what lasts longest, or its time where it has none
-- mean sd cv min p05 p25 median p75 p95 max   sd of the sample, null for one; cv in percent; quantiles are interpolated
WITH /* include readable */, summaries AS MATERIALIZED (
    SELECT
        kinds.code_id, kinds.coding_code, number.component, number.unit, count(*) AS n,
        min(observation.effective_start) AS first,
        max(COALESCE(observation.effective_end, observation.effective_start)) AS last,
        array_agg(observation.utc_offset_minutes ORDER BY observation.effective_start) AS first_offsets,
        array_agg(
            observation.utc_offset_minutes ORDER BY COALESCE(observation.effective_end, observation.effective_start) DESC
        ) AS last_offsets,
        avg(number.value) AS mean,
        stddev_samp(number.value) AS sd,
        percentile_cont(ARRAY[0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]) WITHIN GROUP (ORDER BY number.value) AS quantiles
    FROM kinds
    /* include observations */
    /* include numbers */
    WHERE /* include statistical */
    GROUP BY kinds.code_id, kinds.coding_code, number.component, number.unit
), listed AS (
    SELECT * FROM summaries ORDER BY code_id, component NULLS FIRST, unit LIMIT :limit
)
SELECT
    json_build_object(
        'patient_id', :patient_id,
        'data_types', ARRAY(SELECT kinds.coding_code FROM kinds ORDER BY kinds.code_id),
        'total', (SELECT count(*) FROM summaries),
        'summaries', (
            SELECT COALESCE(json_agg(json_build_object(
                'data_type', coding_code,
                'component', component,
                'unit', unit,
                'n', n,
                'first', iso_8601(first, first_offsets[1]),
                'last', iso_8601(last, last_offsets[1]),
                'mean', mean,
                'sd', sd,
                'cv', 100 * sd / NULLIF(mean, 0),
                'min', quantiles[1],
                'p05', quantiles[2],
                'p25', quantiles[3],
                'median', quantiles[4],
                'p75', quantiles[5],
                'p95', quantiles[6],
                'max', quantiles[7]
            ) ORDER BY code_id, component NULLS FIRST, unit), '[]')
            FROM listed
        )
    ) AS body,
    ARRAY[:patient_id] AS patient_ids
WHERE /* include known */
