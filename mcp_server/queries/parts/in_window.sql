-- A window in local time comes with rough bounds in UTC for the index, and is then exact for each reading.
observation.effective_start >= COALESCE(:start_utc::timestamptz, '-infinity')
AND observation.effective_start < COALESCE(:end_utc::timestamptz, 'infinity')
AND (
    :start_local::timestamp IS NULL AND :end_local::timestamp IS NULL
    OR tsrange(:start_local, :end_local) @> /* include local_time */
)
