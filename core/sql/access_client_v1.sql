-- Who reaches which OAuth client: as what somebody is in the organization that the client belongs to; to read alone,
-- who reaches a study that it sends data for; and a superuser. A study of another organization gives no more than that:
-- whoever changes where a client's logins lead to could take over everybody who uses it.
CREATE VIEW access_client AS
SELECT access.user_id, client.application_id, access.role
FROM access_organization access
JOIN core_organizationclient client ON client.organization_id = access.organization_id
WHERE access.role <> 'superuser'
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
