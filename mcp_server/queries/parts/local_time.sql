(observation.effective_start AT TIME ZONE 'UTC' + make_interval(mins => COALESCE(observation.utc_offset_minutes, 0)))
