-- The tokens that stand at this moment, whose they are and what was granted. A token that is not here is refused,
-- whatever it says.
-- token_key: SHA-256 (hex) of an access token or an MCP token, or the jti of an ID token. scope: words separated by spaces.
-- caller_id: for whom the access views answer: the person, or what the token is narrowed to. permissions: what it can do
-- at most; null for everything.
-- An ID token stands as long as the access token that came with it, and for the scope of that one: revoking or
-- refreshing it ends both.
-- What a token was narrowed to when it was given (core_narrowing.access_token_id) goes before what its consent was.
CREATE OR REPLACE VIEW access_token AS
SELECT
    token.token_checksum::text AS token_key, token.user_id, COALESCE(own.id, consent.narrowing_id, token.user_id) AS caller_id,
    application.client_id::text AS client_id, token.scope, NULL::text[] AS permissions, token.expires
FROM oauth2_provider_accesstoken token
JOIN core_user account ON account.id = token.user_id AND account.is_active
LEFT JOIN oauth2_provider_application application ON application.id = token.application_id
LEFT JOIN core_narrowing own ON own.access_token_id = token.id
LEFT JOIN core_consentedtoken link ON link.access_token_id = token.id
LEFT JOIN core_clientconsent consent ON consent.id = link.consent_id
WHERE token.expires > now()
UNION ALL
SELECT
    token.jti::text, token.user_id, COALESCE(own.id, consent.narrowing_id, token.user_id),
    application.client_id::text, beside.scope, NULL::text[], token.expires
FROM oauth2_provider_idtoken token
JOIN oauth2_provider_accesstoken beside ON beside.id_token_id = token.id -- one at most: the column is unique
JOIN core_user account ON account.id = token.user_id AND account.is_active
LEFT JOIN oauth2_provider_application application ON application.id = token.application_id
LEFT JOIN core_narrowing own ON own.access_token_id = beside.id
LEFT JOIN core_consentedtoken link ON link.access_token_id = beside.id
LEFT JOIN core_clientconsent consent ON consent.id = link.consent_id
WHERE token.expires > now()
UNION ALL
SELECT
    token.token_hash::text, token.user_id, COALESCE(token.narrowing_id, token.user_id),
    'mcp-token-' || token.id, token.scope, token.permissions, token.expires
FROM core_mcptoken token
JOIN core_user account ON account.id = token.user_id AND account.is_active
WHERE token.expires > now() AND token.revoked IS NULL;
