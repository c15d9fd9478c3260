-- A study of people with a glucose sensor: a reading every five minutes, each with an identifier, as an upload leaves
-- them. The two indexes along time are made anew afterwards and the triggers wait, so ten million rows take minutes.
CREATE TEMP TABLE filled_study AS
SELECT NULL::bigint AS id, organization.id AS organization_id, code.id AS code_id
FROM core_organization AS organization, core_codeableconcept AS code
WHERE organization.name = 'Lifespan Lab' AND code.coding_code = 'omh:blood-glucose:4.0';

WITH made AS (
    INSERT INTO core_study (name, description, organization_id, icon_url, fhir_extra)
    SELECT %(study)s, '', organization_id, '', '{}' FROM filled_study
    RETURNING id
)
UPDATE filled_study SET id = made.id FROM made;

INSERT INTO core_studyscoperequest (study_id, code_id) SELECT id, code_id FROM filled_study;

CREATE TEMP TABLE filled_people (id bigint);
WITH made AS (
    INSERT INTO core_patient (name_family, name_given, gender, telecom_phone, telecom_email, fhir_extra)
    SELECT %(study)s, 'Person ' || number, 'unknown', '', '', '{}' FROM generate_series(1, %(people)s) AS number
    RETURNING id
)
INSERT INTO filled_people SELECT id FROM made;

INSERT INTO core_patientorganization (patient_id, organization_id)
SELECT person.id, study.organization_id FROM filled_people AS person, filled_study AS study;
INSERT INTO core_studypatient (study_id, patient_id, enrolled_at)
SELECT study.id, person.id, now() FROM filled_people AS person, filled_study AS study;
INSERT INTO core_studypatientscopeconsent (study_id, patient_id, code_id, consented, consented_time)
SELECT study.id, person.id, study.code_id, true, now() FROM filled_people AS person, filled_study AS study;

SET session_replication_role = replica;
DROP INDEX obs_time, obs_changed;

-- In the order of time, as it comes: each patient's rows lie apart.
CREATE TEMP TABLE filled_readings AS
SELECT
    nextval(pg_get_serial_sequence('core_observation', 'id')) AS id, person.id AS patient_id, number,
    timestamptz '2026-01-01' + number * interval '5 minutes' AS moment, gen_random_uuid() AS uuid
FROM generate_series(1, %(readings)s) AS number, filled_people AS person;

INSERT INTO core_observation (
    id, patient_id, code_id, status, effective_start, utc_offset_minutes, value_quantity, value_unit, omh_data, version_id
)
SELECT
    reading.id, reading.patient_id, study.code_id, 'final', reading.moment, -480, 80 + reading.number %% 120, 'mg/dL',
    format(
        '{"header": {"uuid": "%%s", "modality": "sensed", "schema_id": {"name": "blood-glucose", "version": "4.0",
        "namespace": "omh"}, "external_datasheets": [{"datasheet_type": "manufacturer", "datasheet_reference": "Sensor"}],
        "source_creation_date_time": "%%s"}, "body": {"blood_glucose": {"unit": "mg/dL", "value": %%s},
        "effective_time_frame": {"date_time": "%%s"}}}',
        reading.uuid, iso_8601(reading.moment, -480::smallint), 80 + reading.number %% 120,
        iso_8601(reading.moment, -480::smallint)
    )::jsonb,
    1
FROM filled_readings AS reading, filled_study AS study;

INSERT INTO core_observationidentifier (observation_id, patient_id, system, value)
SELECT id, patient_id, 'urn:ietf:rfc:3986', 'urn:uuid:' || uuid FROM filled_readings;

CREATE INDEX obs_time ON core_observation (patient_id, code_id, effective_start DESC, id DESC);
CREATE INDEX obs_changed ON core_observation (patient_id, code_id, last_updated, id);
SET session_replication_role = origin;
DROP TABLE filled_readings;
