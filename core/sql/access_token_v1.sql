-- The tokens that stand at this moment, whose they are and what was granted. A token that is not here is refused,
-- whatever it says.
-- token_key: SHA-256 (hex) of an access token, or the jti of an ID token. scope: words separated by spaces.
-- An ID token stands as long as the access token that came with it, and for the scope of that one: revoking or
-- refreshing it ends both.
CREATE VIEW access_token AS
SELECT token.token_checksum::text AS token_key, token.user_id, application.client_id::text AS client_id, token.scope
FROM oauth2_provider_accesstoken token
JOIN core_user account ON account.id = token.user_id AND account.is_active
LEFT JOIN oauth2_provider_application application ON application.id = token.application_id
WHERE token.expires > now()
UNION ALL
SELECT token.jti::text, token.user_id, application.client_id::text, beside.scope
FROM oauth2_provider_idtoken token
JOIN oauth2_provider_accesstoken beside ON beside.id_token_id = token.id -- one at most: the column is unique
JOIN core_user account ON account.id = token.user_id AND account.is_active
LEFT JOIN oauth2_provider_application application ON application.id = token.application_id
WHERE token.expires > now();
