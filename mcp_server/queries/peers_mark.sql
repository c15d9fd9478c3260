-- Another one when administrators have changed, added or taken away a peer, or opened it to others: each saves the peer.
SELECT COALESCE(md5(string_agg(concat_ws(' ', peer.id, peer.prefix, peer.name, peer.url, peer.changed), ',' ORDER BY peer.id)), '')
    AS mark
FROM core_peer AS peer
