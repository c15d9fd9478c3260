-- Who may know that a patient takes part in a study: who reaches both, the study as more than a fellow participant;
-- and the patient.
CREATE VIEW access_enrolment AS
SELECT access.user_id, enrolment.study_id, enrolment.patient_id, access.role
FROM access_study access
JOIN core_studypatient enrolment ON enrolment.study_id = access.study_id
WHERE access.role <> 'participant'
AND EXISTS (
    SELECT FROM access_patient reached
    WHERE reached.user_id = access.user_id AND reached.patient_id = enrolment.patient_id
)
UNION ALL
SELECT patient.user_id, enrolment.study_id, enrolment.patient_id, 'self'
FROM core_patient patient
JOIN core_user account ON account.id = patient.user_id AND account.is_active
JOIN core_studypatient enrolment ON enrolment.patient_id = patient.id;

GRANT SELECT ON access_enrolment TO jhe_mcp;
