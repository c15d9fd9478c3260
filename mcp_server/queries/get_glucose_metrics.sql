-- Glucose metrics of one patient (:patient_id), or of a study's patients, :limit of them after :after_patient_id.
-- Readings count from :start up to, not including, :end; all in mg/dL, where 1 mmol/L is 18 mg/dL: the factor with which
-- the consensus names its limits in both units (Battelino 2019, doi:10.2337/dci19-0028). Equal to the R package iglu.
--
-- total      the patients whose glucose the caller reaches
-- patients   by id, each:
--   patient_id, name, first_reading, last_reading; unit "mg/dL"
--   n mean sd cv min p05 p25 median p75 p95 max; cv in percent; gmi in percent: 3.31 + 0.02392 mean
--   time_in_range   percent of readings: very_low < 54 <= low < 70 <= target <= 180 < high <= 250 < very_high
--   sufficiency     days_with_data (local dates), days (first to last reading), interval_minutes (the usual one),
--                   active_percent (of the readings to expect in `days`), sufficient: 14 days and 70 percent
--   hours           for one patient: hour (of the local day), n p05 p25 median p75 p95
--   seconds, mg_per_dl   what mage() needs: each reading's time, in local seconds, and its value
-- Metrics without enough readings are null; a patient without readings has n = 0.
WITH grants AS MATERIALIZED (
    SELECT DISTINCT access.patient_id, access.code_id
    FROM access_observation AS access
    JOIN core_codeableconcept AS code ON code.id = access.code_id AND code.coding_code = 'omh:blood-glucose:4.0'
    WHERE access.user_id = :user_id AND access.role = ANY(:may_observation_read)
      AND (:token_studies::bigint[] IS NULL OR access.study_id IS NULL OR access.study_id = ANY(:token_studies))
      AND (:patient_id::bigint IS NULL OR access.patient_id = :patient_id)
      AND (:study_id::bigint IS NULL OR access.study_id = :study_id)
),
page AS MATERIALIZED (
    SELECT * FROM grants WHERE patient_id > COALESCE(:after_patient_id::bigint, 0) ORDER BY patient_id LIMIT :limit
),
readings AS MATERIALIZED (
    SELECT
        page.patient_id, observation.id, observation.effective_start,
        observation.effective_start AT TIME ZONE 'UTC'
            + make_interval(mins => COALESCE(observation.utc_offset_minutes, 0)) AS local_time,
        observation.value_quantity * CASE observation.value_unit WHEN 'mmol/L' THEN 18 ELSE 1 END AS mg_per_dl
    FROM page
    JOIN core_observation AS observation USING (patient_id, code_id)
    WHERE observation.value_unit IN ('mg/dL', 'mmol/L')
      AND observation.status <> 'entered-in-error'
      AND (:start::timestamptz IS NULL OR observation.effective_start >= :start)
      AND (:end::timestamptz IS NULL OR observation.effective_start < :end)
),
levels AS (
    SELECT
        patient_id,
        count(*) AS n,
        avg(mg_per_dl) AS mean,
        stddev_samp(mg_per_dl) AS sd,
        percentile_cont(ARRAY[0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]) WITHIN GROUP (ORDER BY mg_per_dl) AS quantiles,
        100.0 * count(*) FILTER (WHERE mg_per_dl < 54) / count(*) AS very_low,
        100.0 * count(*) FILTER (WHERE mg_per_dl >= 54 AND mg_per_dl < 70) / count(*) AS low,
        100.0 * count(*) FILTER (WHERE mg_per_dl >= 70 AND mg_per_dl <= 180) / count(*) AS target,
        100.0 * count(*) FILTER (WHERE mg_per_dl > 180 AND mg_per_dl <= 250) / count(*) AS high,
        100.0 * count(*) FILTER (WHERE mg_per_dl > 250) / count(*) AS very_high,
        count(DISTINCT local_time::date) AS days_with_data
    FROM readings
    GROUP BY patient_id
)
SELECT 1
