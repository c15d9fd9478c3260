-- The seals over the audit trail: a chain of SHA-256 hashes (FIPS 180-4) that whoever changes a row has to break.
-- The two lines below are all that is hashed; docs/audit.md says how an outsider does the same.

-- A row of the trail as it is sealed: a JSON array on one line, independent of the session's settings.
CREATE FUNCTION audit_line(event core_auditevent) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT json_build_array(
        event.id, to_char(event.recorded AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        event.door, event.action, event.outcome, event.user_id, event.client_id, event.token_key, event.study_id,
        event.patient_ids, event.source, event.detail
    )::text
$$;

-- What a seal itself says: the line before those of its rows. It begins with the hash of the seal before it.
CREATE FUNCTION audit_seal_line(seal core_auditseal) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT json_build_array(
        seal.previous_hash, seal.day, seal.number,
        to_char(seal.sealed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        seal.row_count, seal.ids::text, seal.last_id, seal.awaited::text, seal.horizon, encode(seal.digests, 'hex')
    )::text
$$;

-- Seals the rows that are committed and not yet sealed, the lowest ids first; null when there are none, or when somebody
-- else is sealing. Takes no lock that a writer asks for. A row that is being written meanwhile leaves its id missing
-- below ids that are sealed: such ids are awaited, and sealed when they appear, until every transaction that could
-- bring one is over. Those have lower ids (of transactions: audit_v2) than this one, if it gets its own after reading.
CREATE FUNCTION audit_seal(most_rows integer DEFAULT 1000) RETURNS core_auditseal
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    last core_auditseal;
    seal core_auditseal;
    is_first_write boolean := pg_current_xact_id_if_assigned() IS NULL;
    all_over boolean;
    lines text;
BEGIN
    most_rows := LEAST(GREATEST(most_rows, 1), 10000);
    IF NOT pg_try_advisory_xact_lock(hashtext('core_auditseal')) THEN
        RETURN NULL;
    END IF;
    SELECT * INTO last FROM core_auditseal ORDER BY id DESC LIMIT 1;
    last.last_id := COALESCE(last.last_id, 0);
    last.awaited := COALESCE(last.awaited, '{}');

    -- Before the rows are read, so that they hold what is over by now.
    all_over := pg_snapshot_xmin(pg_current_snapshot())::text::bigint >= last.horizon;

    SELECT
        count(*), range_agg(int8range(id, id, '[]')), GREATEST(max(id), last.last_id),
        string_agg(substring(sha256(convert_to(line, 'UTF8')) FOR 8), '' ORDER BY id), string_agg(line, '' ORDER BY id)
    INTO seal.row_count, seal.ids, seal.last_id, seal.digests, lines
    FROM (
        SELECT there.id, there.line
        FROM unnest(last.awaited + int8multirange(int8range(last.last_id + 1, NULL))) AS span
        CROSS JOIN LATERAL (
            SELECT event.id, audit_line(event) || E'\n' AS line
            FROM core_auditevent event
            WHERE event.id >= lower(span) AND event.id < COALESCE(upper(span), 9223372036854775807)
            ORDER BY event.id
            LIMIT most_rows
        ) AS there
        ORDER BY there.id
        LIMIT most_rows
    ) AS unsealed;
    IF seal.row_count = 0 THEN
        RETURN NULL;
    END IF;

    IF is_first_write THEN
        seal.horizon := pg_current_xact_id()::text::bigint;
    END IF;
    seal.awaited := int8multirange(int8range(last.last_id + 1, seal.last_id + 1)) - seal.ids;
    -- A full batch may have left behind some that are there.
    IF all_over IS NOT TRUE OR seal.row_count = most_rows THEN
        seal.awaited := seal.awaited + last.awaited - seal.ids;
    END IF;

    seal.id := nextval(pg_get_serial_sequence('core_auditseal', 'id'));
    seal.sealed_at := clock_timestamp();
    seal.day := GREATEST((seal.sealed_at AT TIME ZONE 'UTC')::date, last.day);
    seal.number := CASE WHEN seal.day = last.day THEN last.number ELSE 0 END + 1;
    seal.previous_hash := COALESCE(last.hash, repeat('0', 64));
    seal.hash := encode(sha256(convert_to(audit_seal_line(seal) || E'\n' || lines, 'UTF8')), 'hex');
    INSERT INTO core_auditseal SELECT seal.*;
    RETURN seal;
END $$;
REVOKE ALL ON FUNCTION audit_seal FROM PUBLIC;

CREATE TRIGGER audit_seal_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON core_auditseal
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
