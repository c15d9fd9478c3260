-- A narrowing can also leave a single patient (core_narrowing.patient_id), the one that somebody chose for an app: of all
-- others nothing is left. Studies and organizations stay as they were: they tell of no patient.
CREATE OR REPLACE VIEW access_patient AS
SELECT user_id, patient_id, role FROM person_patient
UNION ALL
SELECT narrowing.id, link.patient_id, access.role
FROM core_narrowing narrowing
JOIN access_organization access ON access.user_id = narrowing.id AND access.role <> 'named'
JOIN core_patientorganization link ON link.organization_id = access.organization_id
WHERE narrowing.patient_id IS NULL OR narrowing.patient_id = link.patient_id
UNION ALL
SELECT narrowing.id, enrolment.patient_id, access.role
FROM core_narrowing narrowing
JOIN access_study access ON access.user_id = narrowing.id AND access.role <> 'participant'
JOIN core_studypatient enrolment ON enrolment.study_id = access.study_id
WHERE (narrowing.patient_id IS NULL OR narrowing.patient_id = enrolment.patient_id) AND EXISTS (
    SELECT FROM person_patient person
    WHERE person.user_id = narrowing.user_id AND person.patient_id = enrolment.patient_id
)
UNION ALL
SELECT narrowing.id, person.patient_id, person.role
FROM core_narrowing narrowing
JOIN person_patient person ON person.user_id = narrowing.user_id AND person.role = 'self'
WHERE narrowing.patient_id IS NULL OR narrowing.patient_id = person.patient_id;

CREATE OR REPLACE VIEW access_enrolment AS
SELECT user_id, study_id, patient_id, role FROM person_enrolment
UNION ALL
SELECT
    narrowing.id, person.study_id, person.patient_id,
    CASE person.role WHEN 'superuser' THEN 'manager' ELSE person.role END
FROM core_narrowing narrowing
JOIN person_enrolment person ON person.user_id = narrowing.user_id
WHERE (narrowing.patient_id IS NULL OR narrowing.patient_id = person.patient_id) AND EXISTS (
    SELECT FROM narrowing_study left_over
    WHERE left_over.narrowing_id = narrowing.id AND left_over.study_id = person.study_id
);

-- A patient's own data, narrowed to studies, is what they share with these.
CREATE OR REPLACE VIEW access_observation AS
SELECT user_id, patient_id, study_id, code_id, role FROM person_observation
UNION ALL
SELECT
    narrowing.id, person.patient_id, person.study_id, person.code_id,
    CASE person.role WHEN 'superuser' THEN 'manager' ELSE person.role END
FROM core_narrowing narrowing
JOIN person_observation person ON person.user_id = narrowing.user_id
WHERE (narrowing.patient_id IS NULL OR narrowing.patient_id = person.patient_id) AND (
    narrowing.every_code OR EXISTS (
        SELECT FROM core_narrowingcode code
        WHERE code.narrowing_id = narrowing.id AND code.code_id = person.code_id AND code.letters ~ '[rs]'
    )
) AND (
    narrowing.everywhere
    OR EXISTS (
        SELECT FROM narrowing_study left_over
        WHERE left_over.narrowing_id = narrowing.id AND left_over.study_id = person.study_id
    )
    OR person.study_id IS NULL AND EXISTS (
        SELECT FROM core_studypatientscopeconsent consent
        JOIN narrowing_study left_over
            ON left_over.narrowing_id = narrowing.id AND left_over.study_id = consent.study_id
        WHERE consent.patient_id = person.patient_id AND consent.code_id = person.code_id AND consent.consented
    )
);

CREATE OR REPLACE VIEW access_upload AS
SELECT user_id, patient_id, code_id, study_id, role FROM person_upload
UNION ALL
SELECT
    narrowing.id, person.patient_id, person.code_id, person.study_id,
    CASE person.role WHEN 'superuser' THEN 'manager' ELSE person.role END
FROM core_narrowing narrowing
JOIN person_upload person ON person.user_id = narrowing.user_id
WHERE (narrowing.patient_id IS NULL OR narrowing.patient_id = person.patient_id) AND (
    narrowing.every_code OR EXISTS (
        SELECT FROM core_narrowingcode code
        WHERE code.narrowing_id = narrowing.id AND code.code_id = person.code_id AND code.letters ~ '[cu]'
    )
) AND EXISTS (
    SELECT FROM narrowing_study left_over
    WHERE left_over.narrowing_id = narrowing.id AND left_over.study_id = person.study_id
);

-- The trail of a whole study tells of its other patients.
CREATE OR REPLACE VIEW access_audit AS
SELECT user_id, role, patient_id, NULL::bigint AS study_id, NULL::bigint AS actor_id
FROM access_patient
WHERE role <> 'superuser'
UNION ALL
SELECT access.user_id, access.role, NULL, access.study_id, NULL
FROM access_study access
WHERE access.role <> 'superuser' AND NOT EXISTS (
    SELECT FROM core_narrowing narrowing
    WHERE narrowing.id = access.user_id AND narrowing.patient_id IS NOT NULL
)
UNION ALL
SELECT account.id, 'self', NULL, NULL, account.id
FROM core_user account
WHERE account.is_active
UNION ALL
SELECT account.id, 'superuser', NULL, NULL, NULL
FROM core_user account
WHERE account.is_superuser AND account.is_active;
