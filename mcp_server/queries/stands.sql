-- Does the token still stand? For what asks no question of the data; each question asks it in its frame.
SELECT EXISTS (
    SELECT FROM access_token AS token
    WHERE token.token_key = :token_key AND token.caller_id = :token_caller_id AND token.user_id = :person_id
) AS stands
