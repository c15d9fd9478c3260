-- Who reaches which study: through the study's organization, or as a participant.
CREATE VIEW access_study AS
SELECT access.user_id, study.id AS study_id, access.role
FROM access_organization access
JOIN core_study study ON study.organization_id = access.organization_id
UNION ALL
SELECT patient.user_id, enrolment.study_id, 'participant'
FROM core_patient patient
JOIN core_user account ON account.id = patient.user_id AND account.is_active
JOIN core_studypatient enrolment ON enrolment.patient_id = patient.id;
