-- Who reaches which patient's record: through a shared organization, as the patient, or as superuser.
-- This is the person, not the data they sent: for observations see access_observation.
CREATE VIEW access_patient AS
SELECT access.user_id, link.patient_id, access.role
FROM access_organization access
JOIN core_patientorganization link ON link.organization_id = access.organization_id
WHERE access.role <> 'superuser'
UNION ALL
SELECT patient.user_id, patient.id, 'self'
FROM core_patient patient
JOIN core_user account ON account.id = patient.user_id AND account.is_active
UNION ALL
SELECT account.id, patient.id, 'superuser'
FROM core_user account
CROSS JOIN core_patient patient
WHERE account.is_superuser AND account.is_active;
