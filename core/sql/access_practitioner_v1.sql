-- Who reaches which practitioner: who shares an organization with them; and a superuser.
-- A practitioner who is a superuser is managed by superusers alone: to everybody else in the organization a colleague.
CREATE VIEW access_practitioner AS
SELECT
    access.user_id, membership.practitioner_id,
    CASE WHEN account.is_superuser THEN 'viewer' ELSE access.role END AS role
FROM access_organization access
JOIN core_practitionerorganization membership ON membership.organization_id = access.organization_id
JOIN core_practitioner practitioner ON practitioner.id = membership.practitioner_id
JOIN core_user account ON account.id = practitioner.user_id
WHERE access.role <> 'superuser'
UNION ALL
SELECT account.id, practitioner.id, 'superuser'
FROM core_user account
CROSS JOIN core_practitioner practitioner
WHERE account.is_superuser AND account.is_active;
