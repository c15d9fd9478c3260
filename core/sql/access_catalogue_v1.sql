-- Who reads and who keeps what is the same for all organizations: the kinds of data, and what sends them.
CREATE VIEW access_catalogue AS
SELECT account.id AS user_id, CASE WHEN account.is_superuser THEN 'superuser' ELSE 'anybody' END AS role
FROM core_user account
WHERE account.is_active;
