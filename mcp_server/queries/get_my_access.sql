-- What the caller reaches, and as what: the first :named organizations and studies by id, with how many of a study's
-- patients that they see said yes to each scope; and what the token they come with leaves of it.
--
-- roles    those that the access views give, of which mcp_server/tools/access.py says what they mean
-- token    as it stands: what was granted, and of the narrowing the first :named of each list (NULL: not narrowed).
--          studies_left_out: studies of the caller that the token's claims (:token_studies) do not have yet
WITH organizations AS MATERIALIZED (
    SELECT access.organization_id, array_agg(DISTINCT access.role ORDER BY access.role) AS roles
    FROM access_organization AS access
    WHERE access.user_id = :user_id AND access.role = ANY(:may_organization_read)
    GROUP BY access.organization_id
), reached AS MATERIALIZED (
    SELECT access.study_id, array_agg(DISTINCT access.role ORDER BY access.role) AS roles
    FROM access_study AS access
    WHERE access.user_id = :user_id AND access.role = ANY(:may_study_read)
    GROUP BY access.study_id
), studies AS MATERIALIZED (
    SELECT * FROM reached WHERE :token_studies::bigint[] IS NULL OR study_id = ANY(:token_studies)
), patients AS MATERIALIZED (
    SELECT DISTINCT access.patient_id, access.role
    FROM access_patient AS access
    WHERE access.user_id = :user_id AND access.role = ANY(:may_patient_read)
), token AS (
    SELECT token.client_id, token.scope, token.permissions, token.expires
    FROM access_token AS token WHERE token.token_key = :token_key
), narrowing AS (
    SELECT
        narrowing.*,
        ARRAY(
            SELECT link.study_id FROM core_narrowingstudy AS link WHERE link.narrowing_id = narrowing.id ORDER BY 1
        ) AS studies,
        ARRAY(
            SELECT link.organization_id FROM core_narrowingorganization AS link
            WHERE link.narrowing_id = narrowing.id ORDER BY 1
        ) AS organizations,
        ARRAY(
            SELECT code.coding_code FROM core_narrowingcode AS link
            JOIN core_codeableconcept AS code ON code.id = link.code_id
            WHERE link.narrowing_id = narrowing.id AND link.letters ~ '[rs]' ORDER BY code.id
        ) AS data_types
    FROM core_narrowing AS narrowing
    WHERE narrowing.id = :user_id
)
SELECT
    json_build_object(
        'is_superuser', EXISTS (SELECT FROM organizations WHERE 'superuser' = ANY(roles)),
        'patient_id', (SELECT patient_id FROM patients WHERE role = 'self'),
        'patients', (SELECT count(DISTINCT patient_id) FROM patients),
        'roles', ARRAY(
            SELECT unnest(roles) FROM organizations UNION SELECT unnest(roles) FROM studies UNION SELECT role FROM patients
        ),
        'organizations', (
            SELECT COALESCE(json_agg(json_build_object(
                'organization_id', organization.id, 'name', organization.name, 'roles', listed.roles
            ) ORDER BY organization.id), '[]')
            FROM (SELECT * FROM organizations ORDER BY organization_id LIMIT :named::int) AS listed
            JOIN core_organization AS organization ON organization.id = listed.organization_id
        ),
        'organizations_total', (SELECT count(*) FROM organizations),
        'studies', (
            SELECT COALESCE(json_agg(json_build_object(
                'study_id', study.id,
                'name', study.name,
                'organization_id', study.organization_id,
                'roles', listed.roles,
                'patients', (
                    SELECT count(DISTINCT access.patient_id) FROM access_enrolment AS access
                    WHERE access.study_id = study.id AND access.user_id = :user_id
                    AND access.role = ANY(:may_patient_read)
                ),
                'scopes', (
                    SELECT COALESCE(json_agg(json_build_object(
                        'data_type', code.coding_code,
                        'consented', (
                            SELECT count(*) FROM core_studypatientscopeconsent AS consent
                            WHERE consent.study_id = study.id AND consent.code_id = code.id AND consent.consented
                            AND consent.patient_id IN (
                                SELECT access.patient_id FROM access_enrolment AS access
                                WHERE access.study_id = study.id AND access.user_id = :user_id
                                AND access.role = ANY(:may_consent_read)
                            )
                        )
                    ) ORDER BY code.id), '[]')
                    FROM core_studyscoperequest AS request
                    JOIN core_codeableconcept AS code ON code.id = request.code_id
                    WHERE request.study_id = study.id
                )
            ) ORDER BY study.id), '[]')
            FROM (SELECT * FROM studies ORDER BY study_id LIMIT :named) AS listed
            JOIN core_study AS study ON study.id = listed.study_id
        ),
        'total', (SELECT count(*) FROM studies),
        'token', (
            SELECT json_build_object(
                'client', token.client_id,
                'scopes', token.scope,
                'expires', iso_8601(token.expires, NULL),
                'permissions', token.permissions,
                'narrowed', (
                    SELECT json_build_object(
                        'studies', narrowing.studies[1 : :named],
                        'organizations', narrowing.organizations[1 : :named],
                        'data_types', narrowing.data_types[1 : :named],
                        'everywhere', narrowing.everywhere,
                        'every_data_type', narrowing.every_code,
                        'patient_id', narrowing.patient_id,
                        'truncated', GREATEST(
                            cardinality(narrowing.studies), cardinality(narrowing.organizations),
                            cardinality(narrowing.data_types)
                        ) > :named
                    )
                    FROM narrowing
                ),
                'studies_left_out', (SELECT count(*) FROM reached) - (SELECT count(*) FROM studies)
            )
            FROM token
        )
    ) AS body,
    COALESCE((SELECT array_agg(patient_id) FROM patients WHERE role = 'self'), '{}') AS patient_ids
