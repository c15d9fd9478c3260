-- Who sees and looks after which client, now with practitioners' own: theirs alone, and superusers'. A token that is
-- narrowed reaches none of these, which can do more than it.
CREATE OR REPLACE VIEW access_client AS
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
SELECT account.id AS user_id, application.id AS application_id, 'owner' AS role
FROM core_practitionerclient own
JOIN oauth2_provider_application application ON application.id = own.application_id
JOIN core_user account ON account.id = application.user_id AND account.is_active
UNION ALL
SELECT account.id AS user_id, application.id AS application_id, 'superuser' AS role
FROM core_user account
CROSS JOIN oauth2_provider_application application
WHERE account.is_superuser AND account.is_active;
