-- What the token with this hash (SHA-256, hex) is, while it stands, for the client that asks: of its own tokens, or of all
-- when it is a resource server. caller_id is negative when the token is narrowed; then studies are those that are left.
SELECT
    standing.user_id, standing.caller_id, standing.client_id, standing.scope, standing.permissions,
    FLOOR(EXTRACT(EPOCH FROM COALESCE(token.created, agent.created)))::bigint AS issued,
    FLOOR(EXTRACT(EPOCH FROM standing.expires))::bigint AS expires,
    COALESCE(token.resource, '[]')::text AS resource,
    ARRAY(
        SELECT DISTINCT access.study_id
        FROM access_study access
        WHERE access.user_id = standing.caller_id AND standing.caller_id < 0
        ORDER BY access.study_id
        LIMIT %(most)s
    ) AS studies
FROM access_token standing
JOIN oauth2_provider_application asker ON asker.client_id = %(asker)s
LEFT JOIN oauth2_provider_accesstoken token ON token.token_checksum = standing.token_key
LEFT JOIN core_mcptoken agent ON agent.token_hash = standing.token_key
WHERE
    standing.token_key = %(checksum)s
    AND (
        token.application_id = asker.id
        OR EXISTS (SELECT FROM core_resourceserver server WHERE server.application_id = asker.id)
    )
