-- A client that registered itself (RFC 7591, or a metadata document) is nobody's: it is of no organization, sends data for
-- no study, and does not ask what tokens are.
CREATE FUNCTION refuse_unknown_client() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM oauth2_provider_application application
        WHERE application.id = (to_jsonb(NEW) ->> TG_ARGV[0])::bigint AND application.registration_source <> 'manual'
    ) THEN
        RAISE EXCEPTION 'The client registered itself.' USING ERRCODE = 'check_violation', CONSTRAINT = 'client_is_known';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER resource_server_is_known BEFORE INSERT OR UPDATE ON core_resourceserver
FOR EACH ROW EXECUTE FUNCTION refuse_unknown_client('application_id');

CREATE TRIGGER organization_client_is_known BEFORE INSERT OR UPDATE ON core_organizationclient
FOR EACH ROW EXECUTE FUNCTION refuse_unknown_client('application_id');

CREATE TRIGGER study_client_is_known BEFORE INSERT OR UPDATE ON core_studyclient
FOR EACH ROW EXECUTE FUNCTION refuse_unknown_client('client_id');
