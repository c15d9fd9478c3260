-- An instant as the clock showed it where it was recorded: 2026-11-01T07:30:00-08:00.
-- Without a recorded offset: UTC with a Z, which says just that (RFC 9557 §2).
CREATE FUNCTION iso_8601(instant timestamptz, utc_offset_minutes smallint) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT to_char(
        instant AT TIME ZONE 'UTC' + make_interval(mins => COALESCE(utc_offset_minutes, 0)), 'YYYY-MM-DD"T"HH24:MI:SS'
    ) || CASE
        WHEN utc_offset_minutes IS NULL THEN 'Z'
        WHEN utc_offset_minutes < 0 THEN '-' || to_char(make_interval(mins => -utc_offset_minutes), 'HH24:MI')
        ELSE '+' || to_char(make_interval(mins => utc_offset_minutes), 'HH24:MI')
    END
$$;
