-- The access views answer for narrowed callers too. What a person reaches keeps its definition under a new name, person_*;
-- access_* gives that, and for a narrowing (core_narrowing, negative ids) the part of it that is left.
-- A superuser's narrowed token acts as a manager of what it is narrowed to. An organization whose study alone is left is
-- named in answers and opens nothing else.
ALTER VIEW access_organization RENAME TO person_organization;
ALTER VIEW access_study RENAME TO person_study;
ALTER VIEW access_patient RENAME TO person_patient;
ALTER VIEW access_enrolment RENAME TO person_enrolment;
ALTER VIEW access_observation RENAME TO person_observation;
ALTER VIEW access_upload RENAME TO person_upload;
DROP VIEW access_audit, access_client, access_practitioner, access_catalogue;

-- A narrowing's ids count down from -1, so that none is ever a person's.
ALTER TABLE core_narrowing ALTER COLUMN id SET INCREMENT BY -1 SET MINVALUE -9223372036854775808 SET MAXVALUE -1
    SET START WITH -1 RESTART WITH -1;

-- The studies that a narrowing leaves, if its person reaches them.
CREATE VIEW narrowing_study AS
SELECT narrowing_id, study_id FROM core_narrowingstudy
UNION ALL
SELECT link.narrowing_id, study.id
FROM core_narrowingorganization link
JOIN core_study study ON study.organization_id = link.organization_id
UNION ALL
SELECT narrowing.id, study.id
FROM core_narrowing narrowing
CROSS JOIN core_study study
WHERE narrowing.everywhere;

CREATE VIEW access_organization AS
SELECT user_id, organization_id, role FROM person_organization
UNION ALL
SELECT
    narrowing.id, person.organization_id,
    CASE person.role WHEN 'superuser' THEN 'manager' ELSE person.role END
FROM core_narrowing narrowing
JOIN person_organization person ON person.user_id = narrowing.user_id
WHERE narrowing.everywhere OR EXISTS (
    SELECT FROM core_narrowingorganization link
    WHERE link.narrowing_id = narrowing.id AND link.organization_id = person.organization_id
)
UNION ALL
SELECT narrowing.id, person.organization_id, 'named'
FROM core_narrowing narrowing
JOIN person_organization person ON person.user_id = narrowing.user_id
WHERE EXISTS (
    SELECT FROM core_narrowingstudy link
    JOIN core_study study ON study.id = link.study_id
    WHERE link.narrowing_id = narrowing.id AND study.organization_id = person.organization_id
);

CREATE VIEW access_study AS
SELECT user_id, study_id, role FROM person_study
UNION ALL
SELECT narrowing.id, person.study_id, CASE person.role WHEN 'superuser' THEN 'manager' ELSE person.role END
FROM core_narrowing narrowing
JOIN person_study person ON person.user_id = narrowing.user_id
WHERE EXISTS (
    SELECT FROM narrowing_study left_over
    WHERE left_over.narrowing_id = narrowing.id AND left_over.study_id = person.study_id
);

-- Through an organization that is left, or as a patient of a study that is; a patient's own record is always theirs.
CREATE VIEW access_patient AS
SELECT user_id, patient_id, role FROM person_patient
UNION ALL
SELECT narrowing.id, link.patient_id, access.role
FROM core_narrowing narrowing
JOIN access_organization access ON access.user_id = narrowing.id AND access.role <> 'named'
JOIN core_patientorganization link ON link.organization_id = access.organization_id
UNION ALL
SELECT narrowing.id, enrolment.patient_id, access.role
FROM core_narrowing narrowing
JOIN access_study access ON access.user_id = narrowing.id AND access.role <> 'participant'
JOIN core_studypatient enrolment ON enrolment.study_id = access.study_id
WHERE EXISTS (
    SELECT FROM person_patient person
    WHERE person.user_id = narrowing.user_id AND person.patient_id = enrolment.patient_id
)
UNION ALL
SELECT narrowing.id, person.patient_id, person.role
FROM core_narrowing narrowing
JOIN person_patient person ON person.user_id = narrowing.user_id AND person.role = 'self';

CREATE VIEW access_enrolment AS
SELECT user_id, study_id, patient_id, role FROM person_enrolment
UNION ALL
SELECT
    narrowing.id, person.study_id, person.patient_id,
    CASE person.role WHEN 'superuser' THEN 'manager' ELSE person.role END
FROM core_narrowing narrowing
JOIN person_enrolment person ON person.user_id = narrowing.user_id
WHERE EXISTS (
    SELECT FROM narrowing_study left_over
    WHERE left_over.narrowing_id = narrowing.id AND left_over.study_id = person.study_id
);

-- A patient's own data, narrowed to studies, is what they share with these.
CREATE VIEW access_observation AS
SELECT user_id, patient_id, study_id, code_id, role FROM person_observation
UNION ALL
SELECT
    narrowing.id, person.patient_id, person.study_id, person.code_id,
    CASE person.role WHEN 'superuser' THEN 'manager' ELSE person.role END
FROM core_narrowing narrowing
JOIN person_observation person ON person.user_id = narrowing.user_id
WHERE (
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

CREATE VIEW access_upload AS
SELECT user_id, patient_id, code_id, study_id, role FROM person_upload
UNION ALL
SELECT
    narrowing.id, person.patient_id, person.code_id, person.study_id,
    CASE person.role WHEN 'superuser' THEN 'manager' ELSE person.role END
FROM core_narrowing narrowing
JOIN person_upload person ON person.user_id = narrowing.user_id
WHERE (
    narrowing.every_code OR EXISTS (
        SELECT FROM core_narrowingcode code
        WHERE code.narrowing_id = narrowing.id AND code.code_id = person.code_id AND code.letters ~ '[cu]'
    )
) AND EXISTS (
    SELECT FROM narrowing_study left_over
    WHERE left_over.narrowing_id = narrowing.id AND left_over.study_id = person.study_id
);

-- These follow from the views above, for both kinds of callers. Who is a superuser is so for everything or not at all.
CREATE VIEW access_practitioner AS
SELECT
    access.user_id, membership.practitioner_id,
    CASE WHEN account.is_superuser THEN 'viewer' ELSE access.role END AS role
FROM access_organization access
JOIN core_practitionerorganization membership ON membership.organization_id = access.organization_id
JOIN core_practitioner practitioner ON practitioner.id = membership.practitioner_id
JOIN core_user account ON account.id = practitioner.user_id
WHERE access.role NOT IN ('superuser', 'named')
UNION ALL
SELECT account.id, practitioner.id, 'superuser'
FROM core_user account
CROSS JOIN core_practitioner practitioner
WHERE account.is_superuser AND account.is_active;

CREATE VIEW access_catalogue AS
SELECT account.id AS user_id, CASE WHEN account.is_superuser THEN 'superuser' ELSE 'anybody' END AS role
FROM core_user account
WHERE account.is_active
UNION ALL
SELECT narrowing.id, 'anybody'
FROM core_narrowing narrowing
JOIN core_user account ON account.id = narrowing.user_id AND account.is_active;

CREATE VIEW access_client AS
SELECT access.user_id, client.application_id, access.role
FROM access_organization access
JOIN core_organizationclient client ON client.organization_id = access.organization_id
WHERE access.role NOT IN ('superuser', 'named')
UNION ALL
SELECT
    access.user_id, link.client_id AS application_id,
    CASE access.role WHEN 'participant' THEN 'participant' ELSE 'viewer' END AS role
FROM access_study access
JOIN core_studyclient link ON link.study_id = access.study_id
WHERE access.role <> 'superuser'
UNION ALL
SELECT account.id AS user_id, application.id AS application_id, 'superuser' AS role
FROM core_user account
CROSS JOIN oauth2_provider_application application
WHERE account.is_superuser AND account.is_active;

CREATE VIEW access_audit AS
SELECT user_id, role, patient_id, NULL::bigint AS study_id, NULL::bigint AS actor_id
FROM access_patient
WHERE role <> 'superuser'
UNION ALL
SELECT user_id, role, NULL, study_id, NULL
FROM access_study
WHERE role <> 'superuser'
UNION ALL
SELECT account.id, 'self', NULL, NULL, account.id
FROM core_user account
WHERE account.is_active
UNION ALL
SELECT account.id, 'superuser', NULL, NULL, NULL
FROM core_user account
WHERE account.is_superuser AND account.is_active;

GRANT SELECT ON access_organization, access_study, access_patient, access_enrolment, access_observation TO jhe_mcp;
REVOKE SELECT ON person_organization, person_study, person_patient, person_enrolment, person_observation FROM jhe_mcp;
