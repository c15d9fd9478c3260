-- The figures of one patient's glucose over a time, as somebody would ask for them who may see everything: no rights, no
-- audit row, no JSON, and no MAGE, which is not SQL's to compute.
WITH readings AS (
    SELECT
        value_quantity AS mg_per_dl, effective_start AS moment,
        effective_start AT TIME ZONE 'UTC' + make_interval(mins => utc_offset_minutes) AS local,
        effective_start - lag(effective_start) OVER (ORDER BY effective_start, id) AS step
    FROM core_observation
    WHERE patient_id = %(patient)s AND code_id = %(code)s
    AND effective_start >= %(start)s AND effective_start < %(end)s AND status NOT IN ('entered-in-error', 'cancelled')
)
SELECT
    count(*), avg(mg_per_dl), stddev_samp(mg_per_dl), 3.31 + 0.02392 * avg(mg_per_dl), min(moment), max(moment),
    percentile_cont(ARRAY[0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]) WITHIN GROUP (ORDER BY mg_per_dl),
    avg((mg_per_dl < 54)::int), avg((mg_per_dl >= 54 AND mg_per_dl < 70)::int),
    avg((mg_per_dl BETWEEN 70 AND 180)::int), avg((mg_per_dl > 180 AND mg_per_dl <= 250)::int),
    avg((mg_per_dl > 250)::int), count(DISTINCT local::date),
    percentile_cont(0.5) WITHIN GROUP (ORDER BY step), sum(step) FILTER (WHERE step > '7.5 minutes'),
    (
        SELECT array_agg((hour, n, quantiles)::text)
        FROM (
            SELECT
                extract(hour FROM local) AS hour, count(*) AS n,
                percentile_cont(ARRAY[0.05, 0.25, 0.5, 0.75, 0.95]) WITHIN GROUP (ORDER BY mg_per_dl) AS quantiles
            FROM readings
            GROUP BY 1
        ) AS hours
    )
FROM readings
