-- An organization of a narrowing can come without its studies: then one that it begins later is not reached.
CREATE OR REPLACE VIEW narrowing_study AS
SELECT narrowing_id, study_id FROM core_narrowingstudy
UNION ALL
SELECT link.narrowing_id, study.id
FROM core_narrowingorganization link
JOIN core_study study ON study.organization_id = link.organization_id
WHERE link.with_studies
UNION ALL
SELECT narrowing.id, study.id
FROM core_narrowing narrowing
CROSS JOIN core_study study
WHERE narrowing.everywhere;

-- Narrowings to certain studies and nothing else, with these: what a refusal may name.
CREATE VIEW narrowing_named AS
SELECT
    narrowing.id AS narrowing_id,
    ARRAY(
        SELECT link.study_id FROM core_narrowingstudy link WHERE link.narrowing_id = narrowing.id ORDER BY 1
    ) AS studies
FROM core_narrowing narrowing
WHERE NOT narrowing.everywhere AND NOT EXISTS (
    SELECT FROM core_narrowingorganization link WHERE link.narrowing_id = narrowing.id
);

-- Who sees and ends an MCP token: its maker, and who manages what it is for. A patient's is theirs alone.
CREATE VIEW access_mcp_token AS
SELECT account.id AS user_id, token.id AS token_id, 'owner' AS role
FROM core_mcptoken token
JOIN core_user account ON account.id = token.user_id AND account.is_active
UNION ALL
SELECT access.user_id, token.id, access.role
FROM core_mcptoken token
JOIN core_practitioner maker ON maker.user_id = token.user_id
JOIN core_narrowingorganization link ON link.narrowing_id = token.narrowing_id
JOIN access_organization access ON access.organization_id = link.organization_id
WHERE access.role <> 'superuser'
UNION ALL
SELECT access.user_id, token.id, access.role
FROM core_mcptoken token
JOIN core_practitioner maker ON maker.user_id = token.user_id
JOIN core_narrowingstudy link ON link.narrowing_id = token.narrowing_id
JOIN access_study access ON access.study_id = link.study_id
WHERE access.role <> 'superuser'
UNION ALL
SELECT account.id, token.id, 'superuser'
FROM core_user account
CROSS JOIN core_mcptoken token
WHERE account.is_superuser AND account.is_active;

-- Notes that an MCP token was used, at most once a minute; asked more often, it costs one look at an index. It waits for
-- nobody: a request that finds the row locked leaves the note to whoever locked it.
CREATE FUNCTION mcp_token_used(token_key text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    UPDATE public.core_mcptoken SET last_used = now()
    WHERE id = (
        SELECT id FROM public.core_mcptoken
        WHERE token_hash = $1 AND (last_used IS NULL OR last_used < now() - interval '1 minute')
        FOR UPDATE SKIP LOCKED
    )
$$;

REVOKE ALL ON FUNCTION mcp_token_used FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mcp_token_used TO jhe_app, jhe_mcp;
GRANT SELECT ON narrowing_named TO jhe_mcp;
