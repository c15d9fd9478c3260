-- The MCP server's own role: it reads what its questions need and writes nothing but audit rows.
-- Accounts, password hashes, sessions, secrets and the audit trail itself stay out of its reach.
-- It comes without a password, so it cannot log in over the network until `manage.py database_password` gives it one.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'jhe_mcp') THEN
        CREATE ROLE jhe_mcp LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT;
        -- For whoever connects with its password: the server itself asks for narrower limits.
        ALTER ROLE jhe_mcp SET statement_timeout = '30s';
        ALTER ROLE jhe_mcp SET lock_timeout = '5s';
        ALTER ROLE jhe_mcp SET idle_in_transaction_session_timeout = '10s';
    END IF;
EXCEPTION
    -- Roles belong to the whole server: another database of it may be making the same one at this moment.
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'The migrating role may not create the role jhe_mcp: give it CREATEROLE, or create jhe_mcp yourself and migrate again.';
END $$;

-- What PostgreSQL lets every role do: make temporary tables, and before version 15 tables among ours.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
DO $$
BEGIN
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
END $$;

GRANT USAGE ON SCHEMA public TO jhe_mcp;
GRANT SELECT ON
    access_organization, access_study, access_patient, access_observation, access_token,
    core_organization, core_study, core_studyscoperequest, core_studypatient, core_studypatientscopeconsent,
    core_studydatasource, core_studyclient, core_datasource, core_datasourcesupportedscope, core_codeableconcept,
    core_patient, core_patientidentifier, core_patientorganization, core_observation, core_observationidentifier
TO jhe_mcp;
GRANT SELECT (id, client_id, name) ON oauth2_provider_application TO jhe_mcp;
GRANT EXECUTE ON FUNCTION audit_record TO jhe_mcp;
