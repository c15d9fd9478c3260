-- The kinds of data that the exchange knows, the first :limit of them by id, for who may read the catalogue: everybody,
-- unless the token leaves it out; and the first :most_peers of the peers that the caller sees, which costs nothing where
-- they have no role that could open one.
WITH peer AS (
    SELECT peer.id, peer.prefix, peer.name, row_number() OVER (ORDER BY peer.prefix) AS place
    FROM core_peer AS peer
    WHERE cardinality(:roles_for_peers::text[]) > 0
    AND EXISTS (
        SELECT FROM access_peer AS access
        WHERE access.peer_id = peer.id AND access.user_id = :user_id AND access.role = ANY(:roles_for_peers)
    )
)
SELECT
    json_build_object(
        'data_types', COALESCE(
            json_agg(json_build_object('data_type', code.coding_code, 'name', code.text) ORDER BY code.id)
                FILTER (WHERE code.place <= :limit::int),
            '[]'
        ),
        'data_types_total', count(*),
        'peers', (
            SELECT COALESCE(
                json_agg(json_build_object('id', peer.id, 'prefix', peer.prefix, 'name', peer.name) ORDER BY peer.prefix)
                    FILTER (WHERE peer.place <= :most_peers::int),
                '[]'
            )
            FROM peer
        ),
        'peers_total', (SELECT count(*) FROM peer)
    ) AS body,
    '{}'::bigint[] AS patient_ids
FROM (
    SELECT code.*, row_number() OVER (ORDER BY code.id) AS place
    FROM core_codeableconcept AS code
    WHERE EXISTS (
        SELECT FROM access_catalogue AS access
        WHERE access.user_id = :user_id AND access.role = ANY(:may_catalogue_read)
    )
) AS code
