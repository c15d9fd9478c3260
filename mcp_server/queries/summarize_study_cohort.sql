-- One kind of data over the patients of one study: how their means, their readings and their days are spread, who lies
-- far out, and how groups of them compare. The observations are read once; the answer does not grow with the patients.
--
-- What counts: the kinds that :data_type names, of the patients who consent to them for this study, as far as the caller
-- may read them (`kinds`); in the window; without what was entered in error or cancelled. Numbers are told apart by
-- component (parts/numbers.sql) and unit, and never mixed. A day is a patient's local day.
--
-- total         patients who consented; enrolled: the study's patients that the caller sees; with_data: those of total
-- data_types    the codes that counted
-- window        first_day, last_day: of :first_day and :last_day, or of anybody's data where these are NULL; days: how many
-- adherence     over total, who has no data included: observations, days_with_data, and percent of the window's days
-- measures      each component and unit, those with most numbers first, :most at most of measures_total
--   readings        statistics over all numbers
--   patient_means   statistics over the mean of each patient who has such numbers
--   outliers        patients whose mean is below low_fence = p25 - 1.5 IQR or above high_fence = p75 + 1.5 IQR of these
--                   means (Tukey 1977): low_total and high_total, and of each the :named farthest out, farthest first
-- groups        the patients by :group_by, with each component and unit: patients, n, mean of all numbers, and the spread of
--               the patients' means; :most at most of groups_total. Who sent from two data sources is in both groups.
-- Statistics: n mean sd cv min p05 p25 median p75 p95 max; sd of the sample, NULL for one; cv in percent; quantiles
-- interpolate (percentile_cont).
WITH /* include readable */, enrolled AS MATERIALIZED (
    SELECT DISTINCT access.patient_id
    FROM access_enrolment AS access
    WHERE access.study_id = :study_id AND access.user_id = :user_id AND access.role = ANY(:may_patient_read)
), people AS MATERIALIZED ( -- who they are is told to those alone who may read patients
    SELECT
        consented.patient_id,
        concat_ws(' ', patient.name_given, patient.name_family) AS name,
        CASE :group_by::text
            WHEN 'gender' THEN COALESCE(patient.gender, 'unknown')
            WHEN 'age_group' THEN CASE
                WHEN age.years < 18 THEN '0-17'
                WHEN age.years < 30 THEN '18-29'
                WHEN age.years < 80 THEN format('%s-%s', age.years / 10 * 10, age.years / 10 * 10 + 9)
                WHEN age.years >= 80 THEN '80+'
                ELSE 'unknown'
            END
        END AS "group"
    FROM (SELECT DISTINCT kinds.patient_id FROM kinds) AS consented
    LEFT JOIN enrolled USING (patient_id)
    LEFT JOIN core_patient AS patient ON patient.id = enrolled.patient_id
    CROSS JOIN LATERAL (SELECT date_part('year', age(now(), patient.birth_date))::int AS years) AS age
), days AS MATERIALIZED (
    SELECT
        kinds.patient_id, number.component, number.unit,
        /* include local_time */::date AS day,
        CASE WHEN :group_by = 'data_source' THEN observation.data_source_id END AS data_source_id,
        count(*) FILTER (WHERE number.is_first) AS observations,
        count(number.value) AS n,
        sum(number.value) AS total,
        array_agg(number.value) AS numbers
    FROM kinds
    JOIN core_observation AS observation USING (patient_id, code_id)
    /* include numbers */
    WHERE /* include in_window */ AND /* include statistical */
    GROUP BY 1, 2, 3, 4, 5
), readings AS MATERIALIZED ( -- each measure by itself, so that its numbers are sorted once
    SELECT measure.component, measure.unit, figures.*
    FROM (SELECT DISTINCT component, unit FROM days WHERE n > 0) AS measure
    CROSS JOIN LATERAL (
        SELECT
            count(*) AS n, avg(number) AS mean, stddev_samp(number) AS sd,
            percentile_cont(ARRAY[0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]) WITHIN GROUP (ORDER BY number) AS quantiles
        FROM days CROSS JOIN LATERAL unnest(days.numbers) AS number
        WHERE days.component IS NOT DISTINCT FROM measure.component AND days.unit IS NOT DISTINCT FROM measure.unit
    ) AS figures
), means AS MATERIALIZED (
    SELECT component, unit, patient_id, sum(n) AS n, sum(total) / sum(n) AS mean
    FROM days
    WHERE n > 0
    GROUP BY component, unit, patient_id
), spreads AS MATERIALIZED (
    SELECT
        component, unit, count(*) AS n, avg(mean) AS mean, stddev_samp(mean) AS sd,
        percentile_cont(ARRAY[0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]) WITHIN GROUP (ORDER BY mean) AS quantiles
    FROM means
    GROUP BY component, unit
), fences AS (
    SELECT
        component, unit,
        quantiles[3] - 1.5 * (quantiles[5] - quantiles[3]) AS low,
        quantiles[5] + 1.5 * (quantiles[5] - quantiles[3]) AS high
    FROM spreads
), far_out AS MATERIALIZED (
    SELECT
        means.*, means.mean > fences.high AS is_high,
        row_number() OVER (
            PARTITION BY means.component, means.unit, means.mean > fences.high
            ORDER BY abs(means.mean - spreads.quantiles[4]) DESC, means.patient_id
        ) AS place
    FROM means
    JOIN fences ON means.component IS NOT DISTINCT FROM fences.component AND means.unit IS NOT DISTINCT FROM fences.unit
    JOIN spreads
        ON means.component IS NOT DISTINCT FROM spreads.component AND means.unit IS NOT DISTINCT FROM spreads.unit
    WHERE means.mean NOT BETWEEN fences.low AND fences.high
), worn AS ( -- each patient's days, those without any included
    SELECT
        people.patient_id, count(DISTINCT days.day) AS days_with_data, COALESCE(sum(days.observations), 0) AS observations,
        min(days.day) AS first_day, max(days.day) AS last_day
    FROM people LEFT JOIN days USING (patient_id)
    GROUP BY people.patient_id
), span AS MATERIALIZED (
    SELECT first_day, last_day, last_day - first_day + 1 AS days
    FROM (
        SELECT
            COALESCE(:first_day::date, min(first_day)) AS first_day, COALESCE(:last_day::date, max(last_day)) AS last_day
        FROM worn
    ) AS ends
), adherence AS (
    SELECT
        each.what, count(each.value) AS n, avg(each.value) AS mean, stddev_samp(each.value) AS sd,
        percentile_cont(ARRAY[0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]) WITHIN GROUP (ORDER BY each.value) AS quantiles
    FROM worn
    CROSS JOIN span
    CROSS JOIN LATERAL (
        VALUES
            ('observations', worn.observations::float8),
            ('days_with_data', worn.days_with_data::float8),
            ('percent', CASE WHEN span.days > 0 THEN LEAST(100, 100.0 * worn.days_with_data / span.days) END::float8)
    ) AS each (what, value)
    GROUP BY each.what
), members AS (
    SELECT
        days.component, days.unit,
        CASE WHEN :group_by = 'data_source' THEN days.data_source_id::text ELSE people."group" END AS "group",
        sum(days.n) AS n, sum(days.total) AS total, sum(days.total) / sum(days.n) AS mean
    FROM days JOIN people USING (patient_id)
    WHERE days.n > 0 AND :group_by <> 'none'
    GROUP BY 1, 2, 3, days.patient_id
), grouped AS MATERIALIZED (
    SELECT
        component, unit, "group", sum(n) AS readings, sum(total) / sum(n) AS mean_of_all,
        count(*) AS n, avg(mean) AS mean, stddev_samp(mean) AS sd,
        percentile_cont(ARRAY[0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]) WITHIN GROUP (ORDER BY mean) AS quantiles
    FROM members
    GROUP BY component, unit, "group"
)
SELECT
    json_build_object(
        'study_id', :study_id,
        'data_types', ARRAY(SELECT DISTINCT kinds.coding_code FROM kinds ORDER BY 1),
        'window', (SELECT json_build_object('first_day', first_day, 'last_day', last_day, 'days', days) FROM span),
        'total', (SELECT count(*) FROM people),
        'enrolled', (SELECT count(*) FROM enrolled),
        'with_data', (SELECT count(*) FROM worn WHERE days_with_data > 0),
        'adherence', (
            SELECT json_object_agg(figures.what, /* include statistics */) FROM adherence AS figures
        ),
        'measures', (
            SELECT COALESCE(json_agg(json_build_object(
                'component', measure.component,
                'unit', measure.unit,
                'readings', (SELECT /* include statistics */ FROM (SELECT measure.*) AS figures),
                'patient_means', (
                    SELECT /* include statistics */ FROM spreads AS figures
                    WHERE figures.component IS NOT DISTINCT FROM measure.component
                    AND figures.unit IS NOT DISTINCT FROM measure.unit
                ),
                'outliers', (
                    SELECT json_build_object(
                        'low_fence', fences.low,
                        'high_fence', fences.high,
                        'low_total', count(*) FILTER (WHERE NOT out.is_high),
                        'high_total', count(*) FILTER (WHERE out.is_high),
                        'low', COALESCE(json_agg(out.told ORDER BY out.place)
                            FILTER (WHERE NOT out.is_high AND out.place <= :named::int), '[]'),
                        'high', COALESCE(json_agg(out.told ORDER BY out.place)
                            FILTER (WHERE out.is_high AND out.place <= :named), '[]')
                    )
                    FROM fences
                    LEFT JOIN (
                        SELECT
                            far_out.component, far_out.unit, far_out.is_high, far_out.place,
                            json_build_object(
                                'patient_id', far_out.patient_id, 'name', NULLIF(people.name, ''),
                                'n', far_out.n, 'mean', far_out.mean
                            ) AS told
                        FROM far_out JOIN people USING (patient_id)
                    ) AS out
                        ON out.component IS NOT DISTINCT FROM fences.component
                        AND out.unit IS NOT DISTINCT FROM fences.unit
                    WHERE fences.component IS NOT DISTINCT FROM measure.component
                    AND fences.unit IS NOT DISTINCT FROM measure.unit
                    GROUP BY fences.low, fences.high
                )
            ) ORDER BY measure.n DESC, measure.component, measure.unit), '[]')
            FROM (SELECT * FROM readings ORDER BY n DESC, component, unit LIMIT :most::int) AS measure
        ),
        'measures_total', (SELECT count(*) FROM readings),
        'groups', (
            SELECT COALESCE(json_agg(json_build_object(
                'group', COALESCE(figures."group", 'unknown'),
                'data_source', (
                    SELECT json_build_object('data_source_id', source.id, 'name', source.name, 'type', source.type)
                    FROM core_datasource AS source
                    WHERE :group_by = 'data_source' AND source.id::text = figures."group"
                ),
                'component', figures.component,
                'unit', figures.unit,
                'n', figures.readings,
                'mean', figures.mean_of_all,
                'patient_means', /* include statistics */
            ) ORDER BY figures.component, figures.unit, figures."group"), '[]')
            FROM (SELECT * FROM grouped ORDER BY readings DESC, component, unit, "group" LIMIT :most) AS figures
        ),
        'groups_total', (SELECT count(*) FROM grouped)
    ) AS body,
    ARRAY(SELECT patient_id FROM people) AS patient_ids
WHERE /* include known */
