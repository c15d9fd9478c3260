-- observation   those of `kinds` in the window, each kind along the index (patient, code, time)
CROSS JOIN LATERAL (
    SELECT observation.*
    FROM core_observation AS observation
    WHERE observation.patient_id = kinds.patient_id AND observation.code_id = kinds.code_id
    AND /* include in_window */
    OFFSET 0 -- a fence: a plan that does not know the window would rather read everybody's
) AS observation
