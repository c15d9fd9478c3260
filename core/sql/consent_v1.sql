-- A consent exists only for an enrolled patient and a requested scope, and goes when either goes.
ALTER TABLE core_studypatientscopeconsent
    ADD CONSTRAINT consent_of_an_enrolled_patient FOREIGN KEY (study_id, patient_id)
        REFERENCES core_studypatient (study_id, patient_id) ON DELETE CASCADE,
    ADD CONSTRAINT consent_to_a_requested_scope FOREIGN KEY (study_id, code_id)
        REFERENCES core_studyscoperequest (study_id, code_id) ON DELETE CASCADE;

-- Every change of a consent leaves a row, on whatever path it comes. The writing action says who it acts for with
-- set_config('jhe.user_id' | 'jhe.client_id' | 'jhe.method', …, true); core/actions/acting.py does that.
CREATE FUNCTION consent_remember() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kept core_studypatientscopeconsent := COALESCE(NEW, OLD);
BEGIN
    INSERT INTO core_consenthistory
        (recorded, study_id, patient_id, code_id, before, after, user_id, client_id, method)
    VALUES (
        clock_timestamp(), kept.study_id, kept.patient_id, kept.code_id, OLD.consented, NEW.consented,
        NULLIF(current_setting('jhe.user_id', true), '')::bigint,
        COALESCE(current_setting('jhe.client_id', true), ''),
        COALESCE(current_setting('jhe.method', true), '')
    );
    RETURN NULL;
END $$;

CREATE TRIGGER consent_is_remembered AFTER INSERT OR DELETE ON core_studypatientscopeconsent
FOR EACH ROW EXECUTE FUNCTION consent_remember();
CREATE TRIGGER consent_change_is_remembered AFTER UPDATE ON core_studypatientscopeconsent
FOR EACH ROW WHEN (OLD.consented IS DISTINCT FROM NEW.consented) EXECUTE FUNCTION consent_remember();

-- An answer moves to no other patient, study or code: that would be two changes told as none.
CREATE FUNCTION consent_refuse_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'A consent keeps its study, patient and code: delete it and record another.'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'consent_stays_where_it_is';
END $$;

CREATE TRIGGER consent_stays_where_it_is BEFORE UPDATE ON core_studypatientscopeconsent
FOR EACH ROW WHEN ((OLD.study_id, OLD.patient_id, OLD.code_id) IS DISTINCT FROM (NEW.study_id, NEW.patient_id, NEW.code_id))
EXECUTE FUNCTION consent_refuse_move();
