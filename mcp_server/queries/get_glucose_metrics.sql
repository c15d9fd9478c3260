-- Glucose metrics of one patient (:patient_id), or of a study's patients: by id, :limit of them after :after_id.
-- Equal to the R package iglu. All in mg/dL; a mmol/L is 18 of them, the factor by which the consensus names its limits
-- in both units (Battelino 2019, doi:10.2337/dci19-0028). What was entered in error or cancelled does not count.
--
-- total      the patients whose glucose the caller may read
-- patients   each: patient_id, name, first_reading, last_reading, n, and, null where there are too few readings:
--   mean sd cv min p05 p25 median p75 p95 max; cv in percent; gmi in percent: 3.31 + 0.02392 mean
--   time_in_range   percent of readings: very_low < 54 <= low < 70 <= target <= 180 < high <= 250 < very_high
--   sufficiency     days_with_data (local dates), days (first to last reading), interval_minutes (the usual one),
--                   active_percent (of the readings to expect in `days`), sufficient: 14 days, to the tenth to
--                   which iglu tells its ndays, and 70 percent
--   hours           for one patient: hour (of the local day), n p05 p25 median p75 p95
--   seconds, mg_per_dl, utc_offset_minutes   what MAGE is made of; mcp_server/glucose.py puts `mage` in their place
WITH /* include readable */, listed AS MATERIALIZED (
    SELECT * FROM kinds WHERE patient_id > :after_id ORDER BY patient_id LIMIT :limit
), readings AS MATERIALIZED (
    SELECT
        kinds.patient_id, observation.id, observation.effective_start, observation.utc_offset_minutes,
        time.seconds, time.seconds + 60 * COALESCE(observation.utc_offset_minutes, 0) AS local_seconds,
        observation.value_quantity * CASE observation.value_unit WHEN 'mmol/L' THEN 18 ELSE 1 END AS mg_per_dl,
        time.seconds - lag(time.seconds) OVER (
            PARTITION BY kinds.patient_id ORDER BY observation.effective_start, observation.id
        ) AS step
    FROM listed AS kinds
    /* include observations */
    CROSS JOIN LATERAL (SELECT date_part('epoch', observation.effective_start) AS seconds) AS time
    WHERE observation.value_unit IN ('mg/dL', 'mmol/L') AND /* include statistical */
), levels AS MATERIALIZED (
    SELECT
        patient_id,
        count(*) AS n,
        avg(mg_per_dl) AS mean,
        stddev_samp(mg_per_dl) AS sd,
        percentile_cont(ARRAY[0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]) WITHIN GROUP (ORDER BY mg_per_dl) AS quantiles,
        json_build_object(
            'very_low', 100.0 * count(*) FILTER (WHERE mg_per_dl < 54) / count(*),
            'low', 100.0 * count(*) FILTER (WHERE mg_per_dl >= 54 AND mg_per_dl < 70) / count(*),
            'target', 100.0 * count(*) FILTER (WHERE mg_per_dl BETWEEN 70 AND 180) / count(*),
            'high', 100.0 * count(*) FILTER (WHERE mg_per_dl > 180 AND mg_per_dl <= 250) / count(*),
            'very_high', 100.0 * count(*) FILTER (WHERE mg_per_dl > 250) / count(*)
        ) AS time_in_range,
        count(DISTINCT floor(local_seconds / 86400)) AS days_with_data,
        min(effective_start) AS first_time,
        max(effective_start) AS last_time,
        array_agg(utc_offset_minutes ORDER BY effective_start, id) AS utc_offsets,
        json_agg(seconds ORDER BY effective_start, id) AS seconds,
        json_agg(mg_per_dl ORDER BY effective_start, id) AS mg_per_dl
    FROM readings
    GROUP BY patient_id
), usual AS MATERIALIZED ( -- these three as iglu's active_percent: steps in whole minutes, longer ones are gaps
    SELECT patient_id, NULLIF(round(percentile_cont(0.5) WITHIN GROUP (ORDER BY step / 60)), 0) AS minutes
    FROM readings WHERE step > 0 GROUP BY patient_id
), lengths AS MATERIALIZED (
    SELECT patient_id, round(step / 60) AS length, count(*) AS n, sum(step) / 60 AS minutes
    FROM readings GROUP BY patient_id, length
), coverage AS (
    SELECT
        lengths.patient_id,
        usual.minutes AS interval_minutes,
        round(round(sum(lengths.minutes)) / usual.minutes) + 1 AS expected,
        COALESCE(round(
            sum(lengths.minutes - n * usual.minutes) FILTER (WHERE length > usual.minutes) / usual.minutes
        ), 0) AS missing
    FROM lengths JOIN usual USING (patient_id)
    GROUP BY lengths.patient_id, usual.minutes
), sufficiency AS MATERIALIZED (
    SELECT
        patient_id, interval_minutes,
        expected * interval_minutes / 1440 AS days,
        100 * (expected - missing) / expected AS active_percent
    FROM coverage
), hours AS MATERIALIZED (
    SELECT patient_id, json_agg(json_build_object(
        'hour', hour, 'n', n, 'p05', quantiles[1], 'p25', quantiles[2], 'median', quantiles[3],
        'p75', quantiles[4], 'p95', quantiles[5]
    ) ORDER BY hour) AS hours
    FROM (
        SELECT
            patient_id, (floor(local_seconds / 3600) - 24 * floor(local_seconds / 86400))::int AS hour, count(*) AS n,
            percentile_cont(ARRAY[0.05, 0.25, 0.5, 0.75, 0.95]) WITHIN GROUP (ORDER BY mg_per_dl) AS quantiles
        FROM readings
        WHERE :patient_id::bigint IS NOT NULL
        GROUP BY patient_id, hour
    ) AS by_hour
    GROUP BY patient_id
)
SELECT
    json_build_object(
        'total', (SELECT count(*) FROM kinds),
        'patients', (
            SELECT COALESCE(json_agg(json_build_object(
                'patient_id', patient.id,
                'name', concat_ws(' ', patient.name_given, patient.name_family),
                'first_reading', iso_8601(levels.first_time, levels.utc_offsets[1]),
                'last_reading', iso_8601(levels.last_time, levels.utc_offsets[levels.n]),
                'n', COALESCE(levels.n, 0),
                'mean', levels.mean,
                'sd', levels.sd,
                'cv', 100 * levels.sd / levels.mean,
                'gmi', 3.31 + 0.02392 * levels.mean,
                'min', levels.quantiles[1],
                'p05', levels.quantiles[2],
                'p25', levels.quantiles[3],
                'median', levels.quantiles[4],
                'p75', levels.quantiles[5],
                'p95', levels.quantiles[6],
                'max', levels.quantiles[7],
                'time_in_range', levels.time_in_range,
                'sufficiency', json_build_object(
                    'days_with_data', COALESCE(levels.days_with_data, 0),
                    'days', sufficiency.days,
                    'interval_minutes', sufficiency.interval_minutes,
                    'active_percent', sufficiency.active_percent,
                    'sufficient', COALESCE(
                        round(sufficiency.days::numeric, 1) >= 14 AND sufficiency.active_percent >= 70, false
                    )
                ),
                'hours', COALESCE(hours.hours, '[]'),
                'utc_offset_minutes', COALESCE(levels.utc_offsets[1], 0),
                'seconds', COALESCE(levels.seconds, '[]'),
                'mg_per_dl', COALESCE(levels.mg_per_dl, '[]')
            ) ORDER BY patient.id), '[]')
            FROM listed
            JOIN core_patient AS patient ON patient.id = listed.patient_id
            LEFT JOIN levels USING (patient_id)
            LEFT JOIN sufficiency USING (patient_id)
            LEFT JOIN hours USING (patient_id)
        )
    ) AS body,
    ARRAY(SELECT patient_id FROM listed ORDER BY patient_id LIMIT :limit - 1) AS patient_ids
WHERE EXISTS (SELECT FROM kinds) OR /* include visible */
