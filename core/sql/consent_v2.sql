-- As consent_v1, and when the answer was given: what is recorded today from a paper form was said before.
CREATE OR REPLACE FUNCTION consent_remember() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kept core_studypatientscopeconsent := COALESCE(NEW, OLD);
BEGIN
    INSERT INTO core_consenthistory
        (recorded, study_id, patient_id, code_id, before, after, consented_time, user_id, client_id, method)
    VALUES (
        clock_timestamp(), kept.study_id, kept.patient_id, kept.code_id, OLD.consented, NEW.consented,
        NEW.consented_time,
        NULLIF(current_setting('jhe.user_id', true), '')::bigint,
        COALESCE(current_setting('jhe.client_id', true), ''),
        COALESCE(current_setting('jhe.method', true), '')
    );
    RETURN NULL;
END $$;
