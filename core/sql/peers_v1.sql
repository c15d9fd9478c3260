-- Who sees which peer, and as what: members of the organizations that it was opened to, and superusers. Persons only:
-- a token that is narrowed is no caller here, so it reaches no peer. One that is not enabled is nobody's.
CREATE VIEW access_peer AS
SELECT access.user_id, link.peer_id, access.role
FROM person_organization access
JOIN core_peerorganization link ON link.organization_id = access.organization_id
JOIN core_peer peer ON peer.id = link.peer_id AND peer.enabled
WHERE access.role <> 'superuser'
UNION ALL
SELECT account.id, peer.id, 'superuser'
FROM core_user account
CROSS JOIN core_peer peer
WHERE account.is_superuser AND account.is_active AND peer.enabled;

-- Where a peer is and whether somebody is logged in there; no secret and no token.
GRANT SELECT ON access_peer TO jhe_mcp;
GRANT SELECT (id, prefix, name, url, changed) ON core_peer TO jhe_mcp;
GRANT SELECT (id, user_id, peer_id) ON core_peerlogin TO jhe_mcp;
