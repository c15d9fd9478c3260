-- What the MCP server tells somebody of their own token and of the exchange: ids of what the token is narrowed to, and
-- who reads the catalogue of kinds of data.
GRANT SELECT ON
    core_narrowing, core_narrowingstudy, core_narrowingorganization, core_narrowingcode, access_catalogue
TO jhe_mcp;
