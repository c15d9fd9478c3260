-- As audit_v1, but a transaction has its id before its row has one. The sealer counts on that: a missing row id that
-- it has seen passed over belongs to a transaction that a snapshot shows as running, or that is over.
-- Scanning the function is what puts it first: a default such as the row's id is worked out after the scan.
CREATE OR REPLACE FUNCTION audit_record(
    door text, action text, outcome text, user_id bigint, client_id text, token_key text, study_id bigint,
    patient_ids bigint[], source text, detail jsonb
) RETURNS bigint LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    INSERT INTO public.core_auditevent
        (recorded, door, action, outcome, user_id, client_id, token_key, study_id, patient_ids, source, detail)
    SELECT
        clock_timestamp(), $1, $2, $3, $4, COALESCE($5, ''), COALESCE($6, ''), $7,
        COALESCE($8, '{}'), COALESCE($9, ''), COALESCE($10, '{}')
    FROM pg_current_xact_id()
    RETURNING id
$$;
