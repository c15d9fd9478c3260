-- Each seal of some days, in the order of the chain, with what its hash and its link to the one before should be.
SELECT
    seal.id, seal.day, seal.number, seal.row_count, seal.ids::text,
    seal.previous_hash = COALESCE(
        (SELECT earlier.hash FROM core_auditseal earlier WHERE earlier.id < seal.id ORDER BY earlier.id DESC LIMIT 1),
        repeat('0', 64)
    ) AS is_linked,
    found.row_count AS found_count,
    seal.hash = encode(sha256(convert_to(audit_seal_line(seal) || E'\n' || found.lines, 'UTF8')), 'hex') AS is_whole
FROM core_auditseal seal
CROSS JOIN LATERAL (
    SELECT count(*) AS row_count, COALESCE(string_agg(line, '' ORDER BY there.id), '') AS lines
    FROM unnest(seal.ids) AS span
    CROSS JOIN LATERAL (
        SELECT event.id, audit_line(event) || E'\n' AS line
        FROM core_auditevent event
        WHERE event.id >= lower(span) AND event.id < upper(span)
        OFFSET 0 -- a fence: by the index, a span at a time
    ) AS there
) AS found
WHERE seal.day BETWEEN COALESCE(%(first_day)s::date, '-infinity') AND COALESCE(%(last_day)s::date, 'infinity')
ORDER BY seal.id
