-- The consent history and the audit trail are only ever added to.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only.', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER consent_history_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON core_consenthistory
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON core_auditevent
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
