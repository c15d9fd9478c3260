-- Accounts that could log in before e-mails were verified were made by an administrator, who knew whose they are.
INSERT INTO account_emailaddress (user_id, email, verified, "primary")
SELECT id, email, true, true FROM core_user WHERE password <> '' AND password NOT LIKE '!%'
ON CONFLICT DO NOTHING;
