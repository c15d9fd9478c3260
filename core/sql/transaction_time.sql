-- Now, or the beginning of the oldest transaction that still runs: whatever says last_updated <= this is committed, so
-- that whoever asks next for what changed since then misses nothing. Transactions of roles that this one may not look
-- at do not count; the exchange writes with one role.
SELECT LEAST(now(), min(xact_start))
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
