-- The role of the web service and of its workers: it reads and writes what the exchange holds, owns nothing, and can
-- only add to what is append-only. The tables' owner migrates and is needed for nothing else.
-- What it may do with each table is worked out after every migrate: privileges_of_jhe_app.sql.
-- It comes without a password, so it cannot log in over the network until `manage.py database_password` gives it one.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'jhe_app') THEN
        CREATE ROLE jhe_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT;
    END IF;
EXCEPTION
    -- Roles belong to the whole server: another database of it may be making the same one at this moment.
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'The migrating role may not create the role jhe_app: give it CREATEROLE, or create jhe_app yourself and migrate again.';
END $$;

GRANT USAGE ON SCHEMA public TO jhe_app;
GRANT EXECUTE ON FUNCTION audit_record, audit_seal TO jhe_app;
