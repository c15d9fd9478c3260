-- Nothing is asked of the data: that the token stands is found out, and the call recorded.
SELECT '{}'::json AS body, '{}'::bigint[] AS patient_ids
