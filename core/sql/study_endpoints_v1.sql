-- As mcp_tokens_v1, and a narrowing within another one (core_narrowing.within_id) leaves no more than that leaves.
CREATE VIEW narrowing_alone AS
SELECT narrowing_id, study_id FROM core_narrowingstudy
UNION ALL
SELECT link.narrowing_id, study.id
FROM core_narrowingorganization link
JOIN core_study study ON study.organization_id = link.organization_id
WHERE link.with_studies
UNION ALL
SELECT narrowing.id, study.id
FROM core_narrowing narrowing
CROSS JOIN core_study study
WHERE narrowing.everywhere;

CREATE OR REPLACE VIEW narrowing_study AS
SELECT alone.narrowing_id, alone.study_id
FROM narrowing_alone alone
JOIN core_narrowing narrowing ON narrowing.id = alone.narrowing_id
WHERE narrowing.within_id IS NULL OR EXISTS (
    SELECT FROM narrowing_alone around
    WHERE around.narrowing_id = narrowing.within_id AND around.study_id = alone.study_id
);

-- As whom a caller (a person, or what a token is narrowed to) asks at the endpoint of one study: a narrowing to that study,
-- made at the first time. NULL when the caller does not reach the study in one of the roles; nothing is made then.
CREATE FUNCTION study_caller(caller_id bigint, study_id bigint, roles text[]) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    found_id bigint;
BEGIN
    IF NOT EXISTS (
        SELECT FROM public.access_study AS access
        WHERE access.user_id = $1 AND access.study_id = $2 AND access.role = ANY($3)
    ) OR EXISTS (SELECT FROM public.core_narrowing AS narrowing WHERE narrowing.id = $1 AND narrowing.endpoint_id IS NOT NULL)
    THEN
        RETURN NULL;
    END IF;

    SELECT narrowing.id INTO found_id FROM public.core_narrowing AS narrowing
    WHERE narrowing.endpoint_id = $2
        AND ($1 > 0 AND narrowing.user_id = $1 AND narrowing.within_id IS NULL OR narrowing.within_id = $1);
    IF found_id IS NOT NULL THEN
        RETURN found_id;
    END IF;

    -- Of two that come at a time, one makes it; the other waits for that, and finds it.
    INSERT INTO public.core_narrowing AS narrowing (user_id, everywhere, every_code, patient_id, within_id, endpoint_id)
    SELECT person.id, false, true, NULL, NULL, $2 FROM public.core_user AS person WHERE person.id = $1
    UNION ALL
    SELECT around.user_id, false, around.every_code, around.patient_id, around.id, $2
    FROM public.core_narrowing AS around WHERE around.id = $1
    ON CONFLICT DO NOTHING
    RETURNING narrowing.id INTO found_id;
    IF found_id IS NULL THEN
        RETURN public.study_caller($1, $2, $3);
    END IF;
    INSERT INTO public.core_narrowingstudy (narrowing_id, study_id) VALUES (found_id, $2);
    INSERT INTO public.core_narrowingcode (narrowing_id, code_id, letters)
    SELECT found_id, code.code_id, code.letters FROM public.core_narrowingcode AS code WHERE code.narrowing_id = $1;
    RETURN found_id;
END $$;

REVOKE ALL ON FUNCTION study_caller FROM PUBLIC;
GRANT EXECUTE ON FUNCTION study_caller TO jhe_mcp;
