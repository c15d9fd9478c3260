-- Who reaches which organization, and as what.
-- Roles do not inherit down the organization tree. An inactive user reaches nothing, here and in every view built on this.
CREATE VIEW access_organization AS
SELECT practitioner.user_id, membership.organization_id, membership.role::text AS role
FROM core_practitionerorganization membership
JOIN core_practitioner practitioner ON practitioner.id = membership.practitioner_id
JOIN core_user account ON account.id = practitioner.user_id AND account.is_active
UNION ALL
SELECT account.id, organization.id, 'superuser'
FROM core_user account
CROSS JOIN core_organization organization
WHERE account.is_superuser AND account.is_active;
