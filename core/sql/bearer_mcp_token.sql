-- The MCP token with this hash (SHA-256, hex) while it stands; columns as in bearer.sql. It is for every resource.
SELECT
    account.id, account.is_superuser OR practitioner.id IS NOT NULL AS is_practitioner,
    'mcp-token-' || token.id AS client_id, token.scope, '[]' AS resource, token.narrowing_id,
    token.permissions, named.studies,
    token.last_used IS NULL OR token.last_used < now() - interval '1 minute' AS use_is_to_be_noted
FROM core_mcptoken AS token
JOIN core_user AS account ON account.id = token.user_id AND account.is_active
LEFT JOIN core_practitioner AS practitioner ON practitioner.user_id = account.id
LEFT JOIN narrowing_named AS named ON named.narrowing_id = token.narrowing_id
WHERE token.token_hash = %(checksum)s AND token.expires > now() AND token.revoked IS NULL
