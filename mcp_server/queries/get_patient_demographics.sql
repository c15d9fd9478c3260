-- One patient, or the patients of one study by id with how old they are and of which gender (FHIR administrative-gender).
-- Statistics are over everybody that the caller may see in the study, whichever page is asked for.
WITH people AS (
    SELECT patient.*, date_part('year', age(now(), patient.birth_date))::int AS age
    FROM core_patient AS patient
    WHERE patient.id = :patient_id
    AND EXISTS (
        SELECT FROM access_patient AS access
        WHERE access.patient_id = patient.id AND access.user_id = :user_id AND access.role = ANY(:may_patient_read)
    )
    UNION ALL
    SELECT patient.*, date_part('year', age(now(), patient.birth_date))::int
    FROM core_patient AS patient
    WHERE EXISTS (
        SELECT FROM access_enrolment AS access
        WHERE access.patient_id = patient.id AND access.study_id = :study_id
        AND access.user_id = :user_id AND access.role = ANY(:may_patient_read)
    )
), listed AS (
    SELECT * FROM people WHERE people.id > :after_id ORDER BY people.id LIMIT :limit
)
SELECT
    json_build_object(
        'study_id', :study_id,
        'total', count(*)::int,
        'patients', (
            SELECT COALESCE(json_agg(json_build_object(
                'patient_id', listed.id,
                'name', listed.name_given || ' ' || listed.name_family,
                'birth_date', listed.birth_date,
                'age', listed.age,
                'gender', listed.gender
            ) ORDER BY listed.id), '[]')
            FROM listed
        ),
        'age', json_build_object(
            'n', count(people.age)::int,
            'mean', round(avg(people.age), 1),
            'sd', round(stddev_samp(people.age), 1),
            'min', min(people.age),
            'p25', percentile_cont(0.25) WITHIN GROUP (ORDER BY people.age),
            'median', percentile_cont(0.5) WITHIN GROUP (ORDER BY people.age),
            'p75', percentile_cont(0.75) WITHIN GROUP (ORDER BY people.age),
            'max', max(people.age)
        ),
        'gender', json_build_object(
            'female', count(*) FILTER (WHERE people.gender = 'female')::int,
            'male', count(*) FILTER (WHERE people.gender = 'male')::int,
            'other', count(*) FILTER (WHERE people.gender = 'other')::int,
            'unknown', count(*) FILTER (WHERE people.gender = 'unknown')::int
        )
    ) AS body,
    array_agg(people.id ORDER BY people.id) AS patient_ids
FROM people
HAVING CASE WHEN :study_id::bigint IS NULL THEN count(*) > 0 ELSE EXISTS (
    SELECT FROM access_study AS access
    WHERE access.study_id = :study_id AND access.user_id = :user_id AND access.role = ANY(:may_study_read)
    AND (:token_studies::bigint[] IS NULL OR access.study_id = ANY(:token_studies))
) END
