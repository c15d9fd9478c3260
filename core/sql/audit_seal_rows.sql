-- The rows of one seal against what it keeps of each: which are missing, and which are no longer what they were.
SELECT
    range_agg(int8range(sealed.id, sealed.id, '[]')) FILTER (WHERE event.id IS NULL)::text AS missing,
    range_agg(int8range(sealed.id, sealed.id, '[]')) FILTER (
        WHERE event.id IS NOT NULL
        AND substring(seal.digests FROM (8 * sealed.place - 7)::integer FOR 8)
        <> substring(sha256(convert_to(audit_line(event) || E'\n', 'UTF8')) FOR 8)
    )::text AS altered
FROM core_auditseal seal
CROSS JOIN LATERAL (
    SELECT id, row_number() OVER (ORDER BY id) AS place
    FROM unnest(seal.ids) AS span CROSS JOIN generate_series(lower(span), upper(span) - 1) AS id
) AS sealed
LEFT JOIN core_auditevent event ON event.id = sealed.id
WHERE seal.id = %(seal_id)s
