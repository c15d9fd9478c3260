-- The same as watch.sql, asked in between and of which nobody is told anything: so it stands without the frame.
WITH /* include marks */
SELECT
    EXISTS (
        SELECT FROM access_token AS token
        WHERE token.token_key = :token_key AND token.caller_id = :token_caller_id AND token.user_id = :person_id
    ) AS stands,
    (SELECT json_object_agg(marks.place, marks.mark) FROM marks WHERE marks.mark IS NOT NULL)::text AS body
