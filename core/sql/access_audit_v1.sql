-- Whose part of the audit trail somebody reads: events about a patient, events of a study, their own events; and where
-- a row names none of these, everything. Which roles may is decided as everywhere, by `role`.
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

-- Whose events are rare and whose are not decides how they are found, and the default sample sees too few people.
ALTER TABLE core_auditevent
    ALTER COLUMN user_id SET STATISTICS 1000,
    ALTER COLUMN study_id SET STATISTICS 1000,
    ALTER COLUMN patient_ids SET STATISTICS 1000;
