-- The peers that the caller sees, or the one with this prefix, as long as their token stands. `stamp` changes with whatever
-- makes tokens for a peer worthless. Asked without the frame: what is asked of a peer is recorded when it has answered.
SELECT COALESCE(json_agg(json_build_object(
    'id', peer.id,
    'prefix', peer.prefix,
    'name', peer.name,
    'url', peer.url,
    'stamp', concat_ws(' ', peer.changed, (
        SELECT login.id FROM core_peerlogin AS login WHERE login.peer_id = peer.id AND login.user_id = :user_id
    ))
) ORDER BY peer.prefix), '[]')::text AS peers
FROM core_peer AS peer
WHERE (:prefix::text IS NULL OR peer.prefix = :prefix)
AND EXISTS (
    SELECT FROM access_peer AS access
    WHERE access.peer_id = peer.id AND access.user_id = :user_id AND access.role = ANY(:roles_for_peers)
)
AND EXISTS (
    SELECT FROM access_token AS token
    WHERE token.token_key = :token_key AND token.caller_id = :user_id AND token.user_id = :user_id
)
