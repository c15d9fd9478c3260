-- How many observations of `kinds` (a patient's kind) the window holds, of every status; from the index alone but for the
-- two ends of a window in local time, where the offset of each has to be read.
(
    SELECT sum(piece.n)::bigint AS n
    FROM (
        SELECT count(*) AS n
        FROM core_observation AS observation
        WHERE observation.patient_id = kinds.patient_id AND observation.code_id = kinds.code_id
        AND observation.effective_start >= COALESCE(:inner_start::timestamptz, '-infinity')
        AND observation.effective_start < COALESCE(:inner_end::timestamptz, 'infinity')
        UNION ALL
        SELECT count(*)
        FROM core_observation AS observation
        WHERE observation.patient_id = kinds.patient_id AND observation.code_id = kinds.code_id
        AND observation.effective_start < COALESCE(:inner_start, '-infinity')
        AND /* include in_window */
        UNION ALL
        SELECT count(*)
        FROM core_observation AS observation
        WHERE observation.patient_id = kinds.patient_id AND observation.code_id = kinds.code_id
        AND observation.effective_start >= COALESCE(:inner_end, 'infinity')
        AND /* include in_window */
    ) AS piece
)
