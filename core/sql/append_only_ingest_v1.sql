-- Where observations came from is only ever added to.
CREATE TRIGGER ingest_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON core_ingest
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
