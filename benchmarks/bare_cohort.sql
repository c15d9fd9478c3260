-- The figures of a study's patients over a time, as somebody would ask for them who may see everything: no rights, no
-- audit row, no JSON.
WITH readings AS (
    SELECT
        patient_id, value_quantity AS value,
        (effective_start AT TIME ZONE 'UTC' + make_interval(mins => utc_offset_minutes))::date AS day
    FROM core_observation
    WHERE patient_id = ANY(%(people)s) AND code_id = %(code)s
    AND effective_start >= %(start)s AND effective_start < %(end)s AND status NOT IN ('entered-in-error', 'cancelled')
), patients AS (
    SELECT patient_id, count(*) AS n, avg(value) AS mean, count(DISTINCT day) AS days FROM readings GROUP BY patient_id
), overall AS (
    SELECT
        count(*), avg(value), stddev_samp(value),
        percentile_cont(ARRAY[0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]) WITHIN GROUP (ORDER BY value)
    FROM readings
), spread AS (
    SELECT
        count(*), avg(mean), stddev_samp(mean), avg(n), avg(days),
        percentile_cont(ARRAY[0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]) WITHIN GROUP (ORDER BY mean)
    FROM patients
)
SELECT * FROM overall, spread
