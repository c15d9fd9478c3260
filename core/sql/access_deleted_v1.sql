-- Who reaches what is left of a deleted resource: no organization says any more whose it was, so the superusers.
-- Not of observations: what consent gates, it gates after deletion too.
CREATE VIEW access_deleted AS
SELECT account.id AS user_id, history.resource_type, history.resource_id, 'superuser' AS role
FROM core_user account
CROSS JOIN core_resourcehistory history
WHERE account.is_superuser AND account.is_active
AND history.content IS NULL AND history.resource_type <> 'Observation';
