-- Who reaches which kind of observation of which patient, and through which study.
-- A practitioner (a superuser too): through a study they reach that requests the code and that the patient, enrolled,
-- has consented to. A consent row cannot exist without the request and the enrolment (consent_v1), so the row says it all.
-- The patient: all of their own data, with no study.
CREATE VIEW access_observation AS
SELECT access.user_id, consent.patient_id, consent.study_id, consent.code_id, access.role
FROM access_study access
JOIN core_studypatientscopeconsent consent ON consent.study_id = access.study_id AND consent.consented
WHERE access.role <> 'participant'
UNION ALL
SELECT patient.user_id, patient.id, NULL::bigint, code.id, 'self'
FROM core_patient patient
JOIN core_user account ON account.id = patient.user_id AND account.is_active
CROSS JOIN core_codeableconcept code;
