-- At a study's endpoint: does the token stand, and as whom does it ask there? NULL: there is no such study for it.
SELECT
    standing.stands,
    CASE WHEN standing.stands THEN study_caller(:user_id, :study_id, :may_study_read) END AS caller_id
FROM (
    SELECT EXISTS (
        SELECT FROM access_token AS token
        WHERE token.token_key = :token_key AND token.caller_id = :user_id AND token.user_id = :person_id
    ) AS stands
) AS standing
