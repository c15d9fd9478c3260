-- Nothing was asked of the data: a call that was refused, or that failed, before or instead of its question.
SELECT NULL::json AS body, NULL::bigint[] AS patient_ids
