-- observation   those of `kinds`, each kind along time and its index
CROSS JOIN LATERAL (
    SELECT observation.*
    FROM core_observation AS observation
    WHERE observation.patient_id = kinds.patient_id AND observation.code_id = kinds.code_id
    ORDER BY observation.effective_start
    OFFSET 0 -- a fence: a plan that does not know whose they are would rather read everybody's
) AS observation
