-- After every migrate: what the web service's role may do with each table, whichever app or migration made it.
-- A table whose trigger refuses changes (refuse_change) is append-only by privilege too: that trigger is the one place
-- that says so. Rows of the audit trail and its seals come only through audit_record and audit_seal. Nothing is ever
-- truncated. Only what differs is granted or taken, so that running it again changes nothing.
DO $$
DECLARE
    relation record;
BEGIN
    FOR relation IN
        SELECT
            format('%s %s', CASE WHEN relkind = 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, class.oid::regclass) AS name,
            array_to_string(wanted, ', ') AS privileges
        FROM pg_class class
        CROSS JOIN LATERAL (
            SELECT CASE
                WHEN relkind = 'S' THEN '{SELECT,USAGE}'
                WHEN relkind IN ('v', 'm') OR relname IN ('core_auditevent', 'core_auditseal', 'django_migrations')
                    THEN '{SELECT}'
                WHEN EXISTS (SELECT FROM pg_trigger WHERE tgrelid = class.oid AND tgfoid = 'refuse_change'::regproc)
                    THEN '{INSERT,SELECT}'
                ELSE '{DELETE,INSERT,SELECT,UPDATE}'
            END::text[] AS wanted
        ) rule
        CROSS JOIN LATERAL (
            SELECT COALESCE(array_agg(privilege_type ORDER BY privilege_type), '{}') AS held
            FROM aclexplode(relacl)
            WHERE grantee = 'jhe_app'::regrole
        ) now
        WHERE relnamespace = 'public'::regnamespace
            AND relkind IN ('r', 'p', 'v', 'm', 'S')
            AND pg_has_role(relowner, 'USAGE')
            AND held <> wanted
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM jhe_app', relation.name);
        EXECUTE format('GRANT %s ON %s TO jhe_app', relation.privileges, relation.name);
    END LOOP;
END $$;
