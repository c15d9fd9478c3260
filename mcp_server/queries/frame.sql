-- What every question stands in: one statement, one round trip.
-- Does the token still stand, and was it granted the scopes that this needs? Only then does the question run, as this caller. The audit row is written either way.
SELECT
    standing.stands,
    answer.body::text AS body,
    audit_record(
        door => 'mcp',
        action => :action,
        outcome => CASE WHEN answer.body IS NOT NULL THEN 'success'
                        WHEN standing.stands THEN :outcome_without_body ELSE 'refused' END,
        user_id => :person_id,
        client_id => :client_id,
        token_key => :token_key,
        study_id => COALESCE(:study_id, :endpoint_study_id::bigint),
        patient_ids => COALESCE(answer.patient_ids, array_remove(ARRAY[:patient_id::bigint], NULL)),
        source => :source,
        detail => :detail
    )
FROM (
    SELECT EXISTS (
        SELECT FROM access_token AS token
        WHERE token.token_key = :token_key AND token.caller_id = :token_caller_id AND token.user_id = :person_id
            AND :scopes::text[] <@ string_to_array(token.scope, ' ')
    ) AS stands
    OFFSET 0 -- a fence: asked once, however often it is named
) AS standing
LEFT JOIN LATERAL (
    SELECT question.body, question.patient_ids
    FROM (
/* the question */
    ) AS question
    WHERE standing.stands
    OFFSET 0 -- and so is the body
) AS answer ON true
