-- The one way to write an audit row. Every door calls it; a role that may only read can be given it alone.
CREATE FUNCTION audit_record(
    door text, action text, outcome text, user_id bigint, client_id text, token_key text, study_id bigint,
    patient_ids bigint[], source text, detail jsonb
) RETURNS bigint LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    INSERT INTO public.core_auditevent
        (recorded, door, action, outcome, user_id, client_id, token_key, study_id, patient_ids, source, detail)
    VALUES (
        clock_timestamp(), $1, $2, $3, $4, COALESCE($5, ''), COALESCE($6, ''), $7,
        COALESCE($8, '{}'), COALESCE($9, ''), COALESCE($10, '{}')
    )
    RETURNING id
$$;
REVOKE ALL ON FUNCTION audit_record FROM PUBLIC;
