-- A patient takes part in a study only while they belong to the organization that runs it. The enrolment carries that
-- organization, in a column that only the keys below use:
-- leaving the organization ends the enrolment, and with it every consent to the study;
-- a study can move only to an organization that all of its patients belong to.
ALTER TABLE core_study ADD CONSTRAINT study_with_its_organization UNIQUE (id, organization_id);

ALTER TABLE core_studypatient ADD COLUMN organization_id bigint;
UPDATE core_studypatient enrolment SET organization_id = study.organization_id
FROM core_study study WHERE study.id = enrolment.study_id;

ALTER TABLE core_studypatient
    ALTER COLUMN organization_id SET NOT NULL,
    ADD CONSTRAINT enrolment_in_the_study_of_an_organization FOREIGN KEY (study_id, organization_id)
        REFERENCES core_study (id, organization_id) ON UPDATE CASCADE ON DELETE CASCADE,
    ADD CONSTRAINT enrolment_of_a_patient_of_the_organization FOREIGN KEY (patient_id, organization_id)
        REFERENCES core_patientorganization (patient_id, organization_id) ON DELETE CASCADE;

CREATE FUNCTION enrolment_find_organization() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.organization_id := (SELECT organization_id FROM core_study WHERE id = NEW.study_id);
    RETURN NEW;
END $$;

CREATE TRIGGER enrolment_finds_its_organization BEFORE INSERT OR UPDATE OF study_id ON core_studypatient
FOR EACH ROW EXECUTE FUNCTION enrolment_find_organization();
