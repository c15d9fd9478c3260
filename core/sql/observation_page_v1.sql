-- Which kinds of observations of which patients somebody may read, each once; every argument after the roles narrows
-- and is null where it does not. Through a study: what it was consented to, and of their own data what a participant
-- consented to there.
-- The planner takes this apart (one SELECT, nothing but SQL), so it costs what writing it out would.
CREATE FUNCTION granted_observations(
    caller bigint, roles text[], patients bigint[], studies bigint[], organizations bigint[], codes bigint[]
) RETURNS TABLE (patient_id bigint, code_id bigint) LANGUAGE sql STABLE AS $$
    SELECT DISTINCT access.patient_id, access.code_id
    FROM access_observation AS access
    WHERE access.user_id = caller AND access.role = ANY(roles)
    AND (patients IS NULL OR access.patient_id = ANY(patients))
    AND (codes IS NULL OR access.code_id = ANY(codes))
    AND (studies IS NULL OR access.study_id = ANY(studies) OR access.study_id IS NULL AND EXISTS (
        SELECT FROM core_studypatientscopeconsent AS consent
        WHERE consent.patient_id = access.patient_id AND consent.code_id = access.code_id
        AND consent.study_id = ANY(studies) AND consent.consented
    ))
    AND (organizations IS NULL OR EXISTS (
        SELECT FROM core_patientorganization AS link
        WHERE link.patient_id = access.patient_id AND link.organization_id = ANY(organizations)
    ))
$$;

-- An observation as the doors render it: its kind in words, its identifiers, its data point as text.
CREATE VIEW observation_row AS
SELECT
    observation.id, observation.patient_id, observation.data_source_id, observation.status,
    observation.effective_start, observation.effective_end, observation.utc_offset_minutes,
    observation.value_quantity, observation.value_unit, observation.omh_data::text AS data_point,
    observation.fhir_extra::text AS fhir_extra, observation.ingest_id, observation.version_id,
    observation.last_updated, observation.code_id, code.coding_system, code.coding_code, code.text AS code_text,
    (
        SELECT json_agg(json_build_object('system', identifier.system, 'value', identifier.value) ORDER BY identifier.id)
        FROM core_observationidentifier AS identifier WHERE identifier.observation_id = observation.id
    )::text AS identifiers,
    subject.identifier AS patient_identifier
FROM core_observation AS observation
JOIN core_codeableconcept AS code ON code.id = observation.code_id
LEFT JOIN LATERAL ( -- the same for many rows, and looked up once
    SELECT json_build_object('system', identifier.system, 'value', identifier.value)::text AS identifier
    FROM core_patientidentifier AS identifier WHERE identifier.patient_id = observation.patient_id
    ORDER BY identifier.id LIMIT 1
) AS subject ON true;

-- What a search can ask of an observation beside its patient, kind and start; an argument that is null asks nothing.
CREATE FUNCTION observation_fits(
    observation core_observation, ids bigint[], data_sources bigint[], statuses text[], ends_before timestamptz,
    updated_from timestamptz, updated_before timestamptz
) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT (ids IS NULL OR observation.id = ANY(ids))
    AND (data_sources IS NULL OR observation.data_source_id = ANY(data_sources))
    AND (statuses IS NULL OR observation.status = ANY(statuses))
    AND (ends_before IS NULL OR COALESCE(observation.effective_end, observation.effective_start) < ends_before)
    AND (updated_from IS NULL OR observation.last_updated >= updated_from)
    AND (updated_before IS NULL OR observation.last_updated < updated_before)
$$;
