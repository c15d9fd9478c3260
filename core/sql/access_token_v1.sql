-- The tokens that stand at this moment, and whose they are. A token that is not here is refused, whatever it says.
-- token_key: SHA-256 (hex) of an access token, or the jti of an ID token.
-- An ID token stands as long as the access token that came with it: revoking or refreshing that one ends both.
CREATE VIEW access_token AS
SELECT token.token_checksum::text AS token_key, token.user_id, application.client_id::text AS client_id
FROM oauth2_provider_accesstoken token
JOIN core_user account ON account.id = token.user_id AND account.is_active
LEFT JOIN oauth2_provider_application application ON application.id = token.application_id
WHERE token.expires > now()
UNION ALL
SELECT token.jti::text, token.user_id, application.client_id::text
FROM oauth2_provider_idtoken token
JOIN core_user account ON account.id = token.user_id AND account.is_active
LEFT JOIN oauth2_provider_application application ON application.id = token.application_id
WHERE token.expires > now()
    AND EXISTS (SELECT FROM oauth2_provider_accesstoken beside WHERE beside.id_token_id = token.id);
