-- The table of django.core.cache.backends.db, as `manage.py createcachetable` would make it. Not logged: what it counts
-- may be forgotten with a crash.
CREATE UNLOGGED TABLE IF NOT EXISTS shared_cache (
    cache_key varchar(255) NOT NULL PRIMARY KEY,
    value text NOT NULL,
    expires timestamptz NOT NULL
);

CREATE INDEX IF NOT EXISTS shared_cache_expires ON shared_cache (expires);
