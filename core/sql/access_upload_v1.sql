-- Who reaches which patient to send which kind of observation, and for which study: only what the patient, enrolled, has
-- consented to there. The patient; and through the study's organization, as the role may.
CREATE VIEW access_upload AS
SELECT access.user_id, consent.patient_id, consent.code_id, consent.study_id, access.role
FROM access_study AS access
JOIN core_studypatientscopeconsent AS consent ON consent.study_id = access.study_id AND consent.consented
WHERE access.role <> 'participant'
UNION ALL
SELECT patient.user_id, consent.patient_id, consent.code_id, consent.study_id, 'self'
FROM core_patient AS patient
JOIN core_user AS account ON account.id = patient.user_id AND account.is_active
JOIN core_studypatientscopeconsent AS consent ON consent.patient_id = patient.id AND consent.consented;
