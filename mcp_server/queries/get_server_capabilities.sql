-- The kinds of data that the exchange knows, the first :limit of them by id, for who may read the catalogue: everybody,
-- unless the token leaves it out.
SELECT
    json_build_object(
        'data_types', COALESCE(
            json_agg(json_build_object('data_type', code.coding_code, 'name', code.text) ORDER BY code.id)
                FILTER (WHERE code.place <= :limit::int),
            '[]'
        ),
        'data_types_total', count(*)
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
