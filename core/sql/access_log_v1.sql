-- Who is narrowed to studies or organizations reads, of what access_audit gives them, what happened in the studies that are
-- left: a row for each, one without a study where none is left. Who has no row reads all of it.
CREATE VIEW access_audit_within AS
SELECT narrowing.id AS user_id, left_over.study_id
FROM core_narrowing narrowing
LEFT JOIN narrowing_study left_over ON left_over.narrowing_id = narrowing.id
WHERE NOT narrowing.everywhere;

-- Who looked at a patient, as far as `reader` (a caller, as the access views know them) may know it: the only thing that
-- the MCP server reads of the audit trail. The rules are those of core/models/audit.py: everything for whose log the
-- patient's is (access_audit, and of that access_audit_within), what they did themselves for everybody else; and the
-- address for who watches over it.
--
-- roles      those that grant access_log:read, as far as the reader's token leaves them
-- since, until, before, at_most   recorded from, recorded before, ids below, rows
-- One row for each event, the newest first, or one without an id where there is none. In each:
-- sees       'everybody'; 'studies', which is everybody in the studies that the reader is narrowed to; 'yourself'; or
--            'nobody', where the token leaves not even one's own
-- total      how many events there are, whatever `before` and `at_most` say
-- practitioner_id, name   of who did it; no name where it was a patient, who is for the reader to look up, or where there
--            is no such account any more
CREATE FUNCTION access_log(
    reader bigint, roles text[], patient bigint, since timestamptz, until timestamptz, before bigint, at_most integer
) RETURNS TABLE (
    sees text, total bigint, id bigint, recorded timestamptz, door text, action text, outcome text, user_id bigint,
    practitioner_id bigint, name text, client_id text, study_id bigint, source text
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH reach AS MATERIALIZED (
        SELECT
            COALESCE(bool_or(access.actor_id IS NULL), false) AS everybody,
            COALESCE(bool_or(access.actor_id = reader), false) AS yourself,
            COALESCE(bool_or(access.actor_id IS NULL AND access.patient_id IS NULL), false) AS everything
        FROM public.access_audit AS access
        WHERE access.user_id = reader AND access.role = ANY(roles)
        AND (access.patient_id = patient OR access.patient_id IS NULL AND access.study_id IS NULL)
    ), within AS MATERIALIZED (
        SELECT left_over.study_id FROM public.access_audit_within AS left_over WHERE left_over.user_id = reader
    ), matching AS MATERIALIZED (
        SELECT event.id
        FROM public.core_auditevent AS event
        CROSS JOIN reach
        WHERE event.patient_ids @> ARRAY[patient]
        AND (reach.everybody OR reach.yourself AND event.user_id = reader)
        AND (NOT EXISTS (SELECT FROM within) OR event.study_id IN (SELECT within.study_id FROM within))
        AND (since IS NULL OR event.recorded >= since)
        AND (until IS NULL OR event.recorded < until)
    ), listed AS MATERIALIZED (
        SELECT matching.id FROM matching
        WHERE before IS NULL OR matching.id < before
        ORDER BY matching.id DESC LIMIT at_most
    )
    SELECT
        CASE
            WHEN reach.everybody THEN CASE WHEN EXISTS (SELECT FROM within) THEN 'studies' ELSE 'everybody' END
            WHEN reach.yourself THEN 'yourself'
            ELSE 'nobody'
        END,
        (SELECT count(*) FROM matching),
        event.id, event.recorded, event.door, event.action, event.outcome, event.user_id,
        practitioner.id,
        CASE
            WHEN practitioner.id IS NOT NULL THEN concat_ws(' ', practitioner.name_given, practitioner.name_family)
            WHEN account.id IS NOT NULL AND person.id IS NULL THEN concat_ws(' ', account.first_name, account.last_name)
        END,
        event.client_id, event.study_id,
        CASE WHEN reach.everything OR reach.yourself AND event.user_id = reader OR EXISTS (
            SELECT FROM public.access_audit AS watched
            WHERE watched.user_id = reader AND watched.role = ANY(roles) AND (
                watched.patient_id = ANY(event.patient_ids) AND watched.role <> 'self'
                OR watched.study_id = event.study_id
            )
        ) THEN event.source ELSE '' END
    FROM reach
    LEFT JOIN (listed JOIN public.core_auditevent AS event USING (id)) ON true
    LEFT JOIN public.core_user AS account ON account.id = event.user_id
    LEFT JOIN public.core_practitioner AS practitioner ON practitioner.user_id = event.user_id
    LEFT JOIN public.core_patient AS person ON person.user_id = event.user_id
    ORDER BY event.id DESC
$$;

REVOKE ALL ON FUNCTION access_log FROM PUBLIC;
GRANT EXECUTE ON FUNCTION access_log TO jhe_mcp;
