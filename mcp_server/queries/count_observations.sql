-- How many observations there are of a patient, or of a study's patients: in all, by kind, and when asked by patient or by
-- local day. Of every status, as REST and FHIR count; of the kinds that the caller may read. Those of a study are of the
-- kinds that were consented to there.
--
-- by_patient   total: patients whose consent lets the caller read; patients: those with most first, with none too
-- by_day       total: local days on which one begins; days: the newest first
WITH /* include readable */, counted AS MATERIALIZED (
    SELECT kinds.patient_id, kinds.code_id, kinds.coding_code, kinds.text, kind.n
    FROM kinds CROSS JOIN LATERAL /* include how_many */ AS kind
), people AS MATERIALIZED (
    SELECT patient_id, sum(n)::bigint AS n FROM counted WHERE :by_patient::boolean GROUP BY patient_id
), listed AS (
    SELECT people.patient_id, people.n, concat_ws(' ', patient.name_given, patient.name_family) AS name
    FROM people
    JOIN core_patient AS patient ON patient.id = people.patient_id
    WHERE (-people.n, people.patient_id) > (-COALESCE(:after_n::bigint, 9223372036854775807), :after_id::bigint)
    ORDER BY people.n DESC, people.patient_id LIMIT :patients
), days AS MATERIALIZED (
    SELECT (/* include local_time */)::date AS day, count(*) AS n
    FROM kinds
    /* include observations */
    WHERE :by_day::boolean
    GROUP BY day
)
SELECT
    json_build_object(
        'total', (SELECT COALESCE(sum(n), 0)::bigint FROM counted),
        'data_types', (
            SELECT COALESCE(json_agg(json_build_object(
                'data_type', kind.coding_code, 'name', kind.text, 'n', kind.n
            ) ORDER BY kind.code_id), '[]')
            FROM (
                SELECT code_id, coding_code, text, sum(n)::bigint AS n FROM counted GROUP BY code_id, coding_code, text
            ) AS kind
        ),
        'by_patient', CASE WHEN :by_patient THEN json_build_object(
            'total', (SELECT count(*) FROM people),
            'patients', (
                SELECT COALESCE(json_agg(json_build_object(
                    'patient_id', listed.patient_id, 'name', listed.name, 'n', listed.n
                ) ORDER BY listed.n DESC, listed.patient_id), '[]')
                FROM listed
            )
        ) END,
        'by_day', CASE WHEN :by_day THEN json_build_object(
            'total', (SELECT count(*) FROM days),
            'days', (
                SELECT COALESCE(json_agg(json_build_object('date', newest.day, 'n', newest.n)), '[]')
                FROM (SELECT day, n FROM days ORDER BY day DESC LIMIT :days) AS newest
            )
        ) END
    ) AS body,
    CASE WHEN :patient_id::bigint IS NULL THEN ARRAY(SELECT DISTINCT patient_id FROM kinds)
        ELSE ARRAY[:patient_id] END AS patient_ids
WHERE /* include known */
