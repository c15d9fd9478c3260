-- An MCP token while it stands, and whom it speaks for; all NULL when it does not. That it is used is noted by the way.
-- expires: seconds since 1970. studies: those that it names, when it names studies and nothing else.
SELECT
    token.user_id, NULLIF(token.caller_id, token.user_id) AS narrowing_id, token.client_id, token.scope,
    token.permissions, extract(epoch FROM token.expires)::float8 AS expires, named.studies,
    -- Practitioners belong to organizations, patients do not. Who belongs to none reaches nothing as one, either.
    EXISTS (SELECT FROM access_organization AS access WHERE access.user_id = token.user_id) AS is_practitioner,
    CASE WHEN token.user_id IS NOT NULL THEN mcp_token_used(:token_key) END AS used
FROM (VALUES (1)) AS one
LEFT JOIN access_token AS token ON token.token_key = :token_key AND token.client_id LIKE 'mcp-token-%'
LEFT JOIN narrowing_named AS named ON named.narrowing_id = token.caller_id
