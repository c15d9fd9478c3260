-- The rows under no seal: those that wait for the next one, and those that stand where rows were sealed already, which
-- none can that was written in the ordinary way.
WITH head AS (
    SELECT range_agg(ids) AS ids, COALESCE(max(last_id), 0) AS last_id FROM core_auditseal
), span AS (
    SELECT unnest(int8multirange(int8range(NULL, NULL)) - COALESCE(ids, '{}')) AS ids FROM head
), outside AS (
    SELECT there.id, there.recorded, there.id > head.last_id OR COALESCE(there.id <@ newest.awaited, false) AS is_waiting
    FROM head
    CROSS JOIN span
    CROSS JOIN LATERAL (
        SELECT event.id, event.recorded
        FROM core_auditevent event
        WHERE event.id >= COALESCE(lower(span.ids), -9223372036854775808)
            AND event.id < COALESCE(upper(span.ids), 9223372036854775807)
        OFFSET 0 -- a fence: by the index, a span at a time
    ) AS there
    LEFT JOIN LATERAL (SELECT awaited FROM core_auditseal ORDER BY id DESC LIMIT 1) AS newest ON true
)
SELECT
    count(*) FILTER (WHERE is_waiting) AS waiting_count,
    min(recorded) FILTER (WHERE is_waiting) AS waiting_since,
    range_agg(int8range(id, id, '[]')) FILTER (WHERE NOT is_waiting)::text AS inserted
FROM outside
