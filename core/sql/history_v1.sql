-- Versions and history (FHIR R5 http.html#versioning), kept by the database on every path: ORM, bulk, admin, psql.
-- A resource's table carries its version and when that began. What a version was is kept in core_resourcehistory when
-- it ends: by a change, by a change of the rows that belong to the resource (its parts), or by deletion, which is a
-- version of its own. All that one transaction changes of a resource is one version, and a change of nothing is none.
-- An insert costs nothing but a default: which transaction began the version.

ALTER TABLE core_organization ADD COLUMN version_xact xid8 NOT NULL DEFAULT '0';
ALTER TABLE core_practitioner ADD COLUMN version_xact xid8 NOT NULL DEFAULT '0';
ALTER TABLE core_practitionerorganization ADD COLUMN version_xact xid8 NOT NULL DEFAULT '0';
ALTER TABLE core_patient ADD COLUMN version_xact xid8 NOT NULL DEFAULT '0';
ALTER TABLE core_study ADD COLUMN version_xact xid8 NOT NULL DEFAULT '0';
ALTER TABLE core_datasource ADD COLUMN version_xact xid8 NOT NULL DEFAULT '0';
ALTER TABLE core_observation ADD COLUMN version_xact xid8 NOT NULL DEFAULT '0';
-- In two steps, because a default that differs from row to row would write every table anew.
ALTER TABLE core_organization ALTER COLUMN version_xact SET DEFAULT pg_current_xact_id();
ALTER TABLE core_practitioner ALTER COLUMN version_xact SET DEFAULT pg_current_xact_id();
ALTER TABLE core_practitionerorganization ALTER COLUMN version_xact SET DEFAULT pg_current_xact_id();
ALTER TABLE core_patient ALTER COLUMN version_xact SET DEFAULT pg_current_xact_id();
ALTER TABLE core_study ALTER COLUMN version_xact SET DEFAULT pg_current_xact_id();
ALTER TABLE core_datasource ALTER COLUMN version_xact SET DEFAULT pg_current_xact_id();
ALTER TABLE core_observation ALTER COLUMN version_xact SET DEFAULT pg_current_xact_id();

-- Whether a version began in this transaction, so that nobody has seen it yet. The time beside the number: a database
-- that was restored elsewhere counts its transactions anew.
CREATE FUNCTION history_began_now(version_xact xid8, last_updated timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT version_xact = pg_current_xact_id() AND last_updated >= transaction_timestamp()
$$;

-- The rows that belong to a resource, by the names that Django has for them.
CREATE FUNCTION history_parts(resource_type text, resource_id bigint) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT CASE resource_type
        WHEN 'Patient' THEN jsonb_build_object(
            'identifiers', (
                SELECT COALESCE(jsonb_agg(to_jsonb(part) ORDER BY part.id), '[]')
                FROM core_patientidentifier part WHERE part.patient_id = resource_id
            ),
            'patient_organizations', (
                SELECT COALESCE(jsonb_agg(to_jsonb(part) ORDER BY part.id), '[]')
                FROM core_patientorganization part WHERE part.patient_id = resource_id
            )
        )
        WHEN 'Study' THEN jsonb_build_object(
            'scope_requests', (
                SELECT COALESCE(jsonb_agg(to_jsonb(part) ORDER BY part.id), '[]')
                FROM core_studyscoperequest part WHERE part.study_id = resource_id
            ),
            'data_source_links', (
                SELECT COALESCE(jsonb_agg(to_jsonb(part) ORDER BY part.id), '[]')
                FROM core_studydatasource part WHERE part.study_id = resource_id
            )
        )
        WHEN 'DataSource' THEN jsonb_build_object(
            'scope_links', (
                SELECT COALESCE(jsonb_agg(to_jsonb(part) ORDER BY part.id), '[]')
                FROM core_datasourcesupportedscope part WHERE part.data_source_id = resource_id
            )
        )
        WHEN 'Observation' THEN jsonb_build_object(
            'identifiers', (
                SELECT COALESCE(jsonb_agg(to_jsonb(part) ORDER BY part.id), '[]')
                FROM core_observationidentifier part
                WHERE part.observation_id = resource_id
                -- but those that history_of_new_identifiers has just seen come
                AND part.id <> ALL (
                    COALESCE(NULLIF(current_setting('jhe.new_identifiers', true), ''), '{}')::bigint[]
                )
            )
        )
        ELSE '{}'
    END
$$;

-- Who acts is what the writing action said with set_config; core/actions/acting.py does that.
CREATE FUNCTION history_add(
    resource_type text, resource jsonb, version_id integer, last_updated timestamptz, ended_at timestamptz, content jsonb
) RETURNS void LANGUAGE sql VOLATILE AS $$
    INSERT INTO core_resourcehistory (
        resource_type, resource_id, version_id, last_updated, ended_at, content, patient_id, code_id, user_id, client_id
    ) VALUES (
        resource_type, (resource ->> 'id')::bigint, version_id, last_updated, ended_at, content,
        CASE resource_type WHEN 'Patient' THEN resource ->> 'id' ELSE resource ->> 'patient_id' END::bigint,
        (resource ->> 'code_id')::bigint,
        NULLIF(current_setting('jhe.user_id', true), '')::bigint,
        COALESCE(current_setting('jhe.client_id', true), '')
    )
$$;

CREATE FUNCTION history_keep() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    resource_type text := TG_ARGV[0];
    resource jsonb;
    began_now boolean := history_began_now(OLD.version_xact, OLD.last_updated);
    part_changes boolean;
    -- Not the start of the transaction: one that began earlier and waited for the other's lock writes the later version.
    moment timestamptz := GREATEST(clock_timestamp(), OLD.last_updated + interval '1 microsecond');
BEGIN
    IF TG_OP = 'UPDATE' THEN
        part_changes := NEW.version_xact IS NULL; -- said by history_touch
        NEW.version_id := OLD.version_id;
        NEW.last_updated := OLD.last_updated;
        NEW.version_xact := OLD.version_xact;
        IF began_now OR (NEW *= OLD AND NOT part_changes) THEN
            RETURN NEW;
        END IF;
    ELSIF began_now AND OLD.version_id = 1 THEN
        RETURN OLD; -- made and deleted in one transaction: it never was
    END IF;
    resource := to_jsonb(OLD) - 'version_xact';
    IF NOT began_now THEN
        PERFORM history_add(
            resource_type, resource, OLD.version_id, OLD.last_updated, moment,
            resource || history_parts(resource_type, OLD.id)
        );
    END IF;
    IF TG_OP = 'DELETE' THEN
        PERFORM history_add(
            resource_type, resource, CASE WHEN began_now THEN OLD.version_id ELSE OLD.version_id + 1 END,
            moment, moment, NULL
        );
        RETURN OLD;
    END IF;
    NEW.version_id := OLD.version_id + 1;
    NEW.last_updated := moment;
    NEW.version_xact := pg_current_xact_id();
    RETURN NEW;
END $$;

CREATE TRIGGER organization_keeps_history BEFORE UPDATE OR DELETE ON core_organization
FOR EACH ROW EXECUTE FUNCTION history_keep('Organization');
CREATE TRIGGER practitioner_keeps_history BEFORE UPDATE OR DELETE ON core_practitioner
FOR EACH ROW EXECUTE FUNCTION history_keep('Practitioner');
CREATE TRIGGER membership_keeps_history BEFORE UPDATE OR DELETE ON core_practitionerorganization
FOR EACH ROW EXECUTE FUNCTION history_keep('PractitionerOrganization');
CREATE TRIGGER patient_keeps_history BEFORE UPDATE OR DELETE ON core_patient
FOR EACH ROW EXECUTE FUNCTION history_keep('Patient');
CREATE TRIGGER study_keeps_history BEFORE UPDATE OR DELETE ON core_study
FOR EACH ROW EXECUTE FUNCTION history_keep('Study');
CREATE TRIGGER data_source_keeps_history BEFORE UPDATE OR DELETE ON core_datasource
FOR EACH ROW EXECUTE FUNCTION history_keep('DataSource');
CREATE TRIGGER observation_keeps_history BEFORE UPDATE OR DELETE ON core_observation
FOR EACH ROW EXECUTE FUNCTION history_keep('Observation');

-- A part is about to change: its resource gets a new version, unless this transaction began one already.
CREATE FUNCTION history_touch(resource_type text, resource_id bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF resource_type = 'Observation' THEN
        UPDATE core_observation SET version_xact = NULL
        WHERE id = resource_id AND NOT history_began_now(version_xact, last_updated);
    ELSIF resource_type = 'Patient' THEN
        UPDATE core_patient SET version_xact = NULL
        WHERE id = resource_id AND NOT history_began_now(version_xact, last_updated);
    ELSIF resource_type = 'Study' THEN
        UPDATE core_study SET version_xact = NULL
        WHERE id = resource_id AND NOT history_began_now(version_xact, last_updated);
    ELSIF resource_type = 'DataSource' THEN
        UPDATE core_datasource SET version_xact = NULL
        WHERE id = resource_id AND NOT history_began_now(version_xact, last_updated);
    END IF;
END $$;

-- Before the part changes, while the resource still is what it was.
CREATE FUNCTION history_of_part() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    resource_type text := TG_ARGV[0];
    parts text := TG_ARGV[1];
    resource_column text := TG_ARGV[2];
    before bigint := to_jsonb(OLD) ->> resource_column;
    after bigint := to_jsonb(NEW) ->> resource_column;
BEGIN
    IF NEW *= OLD THEN
        RETURN NEW;
    END IF;
    -- What ON CONFLICT will leave out, because it is there, changes nothing.
    IF TG_OP = 'INSERT' AND history_parts(resource_type, after) -> parts @> jsonb_build_array(to_jsonb(NEW) - 'id') THEN
        RETURN NEW;
    END IF;
    PERFORM history_touch(resource_type, before);
    PERFORM history_touch(resource_type, after);
    RETURN COALESCE(NEW, OLD);
END $$;

CREATE TRIGGER identifier_is_part_of_patient BEFORE INSERT OR UPDATE OR DELETE ON core_patientidentifier
FOR EACH ROW EXECUTE FUNCTION history_of_part('Patient', 'identifiers', 'patient_id');
CREATE TRIGGER organization_is_part_of_patient BEFORE INSERT OR UPDATE OR DELETE ON core_patientorganization
FOR EACH ROW EXECUTE FUNCTION history_of_part('Patient', 'patient_organizations', 'patient_id');
CREATE TRIGGER scope_is_part_of_study BEFORE INSERT OR UPDATE OR DELETE ON core_studyscoperequest
FOR EACH ROW EXECUTE FUNCTION history_of_part('Study', 'scope_requests', 'study_id');
CREATE TRIGGER data_source_is_part_of_study BEFORE INSERT OR UPDATE OR DELETE ON core_studydatasource
FOR EACH ROW EXECUTE FUNCTION history_of_part('Study', 'data_source_links', 'study_id');
CREATE TRIGGER scope_is_part_of_data_source BEFORE INSERT OR UPDATE OR DELETE ON core_datasourcesupportedscope
FOR EACH ROW EXECUTE FUNCTION history_of_part('DataSource', 'scope_links', 'data_source_id');
CREATE TRIGGER identifier_is_part_of_observation BEFORE UPDATE OR DELETE ON core_observationidentifier
FOR EACH ROW EXECUTE FUNCTION history_of_part('Observation', 'identifiers', 'observation_id');

-- Identifiers of observations come by the thousand, nearly all in the statement that records their observations, so
-- they are looked at once a statement, when they are there already: what they were added to was without them.
CREATE FUNCTION history_of_new_identifiers() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    touched bigint[] := (
        SELECT array_agg(DISTINCT observation_id) FROM added
        -- Not a join: whatever a statement brings, and whatever is known of the table, each is found by its id.
        WHERE (SELECT NOT history_began_now(version_xact, last_updated) FROM core_observation WHERE id = observation_id)
    );
BEGIN
    IF touched IS NOT NULL THEN
        PERFORM set_config('jhe.new_identifiers', (SELECT array_agg(id)::text FROM added), true);
        UPDATE core_observation SET version_xact = NULL WHERE id = ANY (touched);
        PERFORM set_config('jhe.new_identifiers', '', true);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER new_identifiers_are_part_of_observation AFTER INSERT ON core_observationidentifier
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION history_of_new_identifiers();

-- A number once given to a version is never given to another: what comes back after its deletion goes on counting.
-- Not for observations, whose ids come from the sequence alone.
CREATE FUNCTION history_resume() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version_id := GREATEST(NEW.version_id, 1 + (
        SELECT max(version_id) FROM core_resourcehistory WHERE resource_type = TG_ARGV[0] AND resource_id = NEW.id
    ));
    RETURN NEW;
END $$;

CREATE TRIGGER organization_resumes_history BEFORE INSERT ON core_organization
FOR EACH ROW EXECUTE FUNCTION history_resume('Organization');
CREATE TRIGGER practitioner_resumes_history BEFORE INSERT ON core_practitioner
FOR EACH ROW EXECUTE FUNCTION history_resume('Practitioner');
CREATE TRIGGER membership_resumes_history BEFORE INSERT ON core_practitionerorganization
FOR EACH ROW EXECUTE FUNCTION history_resume('PractitionerOrganization');
CREATE TRIGGER patient_resumes_history BEFORE INSERT ON core_patient
FOR EACH ROW EXECUTE FUNCTION history_resume('Patient');
CREATE TRIGGER study_resumes_history BEFORE INSERT ON core_study
FOR EACH ROW EXECUTE FUNCTION history_resume('Study');
CREATE TRIGGER data_source_resumes_history BEFORE INSERT ON core_datasource
FOR EACH ROW EXECUTE FUNCTION history_resume('DataSource');

CREATE TRIGGER history_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON core_resourcehistory
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
