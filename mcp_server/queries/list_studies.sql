-- The studies the caller may see, by id: what they ask for and how many of their patients the caller may see.
WITH visible AS MATERIALIZED ( -- a fence: the planner cannot know how little the conditions below leave out
    SELECT study.id, study.name, study.description, study.organization_id
    FROM core_study AS study
    WHERE EXISTS (
        SELECT FROM access_study AS access
        WHERE access.study_id = study.id AND access.user_id = :user_id AND access.role = ANY(:may_study_read)
    )
), found AS (
    SELECT study.id, study.name, study.organization_id
    FROM visible AS study
    WHERE (:token_studies::bigint[] IS NULL OR study.id = ANY(:token_studies))
    AND (:organization_id::bigint IS NULL OR study.organization_id = :organization_id)
    AND study.name || ' ' || study.description ILIKE ALL (:words::text[])
), listed AS (
    SELECT found.* FROM found WHERE found.id > :after_id ORDER BY found.id LIMIT :limit
), enrolled AS (
    SELECT access.study_id, count(DISTINCT access.patient_id)::int AS patients
    FROM access_enrolment AS access
    WHERE access.study_id = ANY(ARRAY(SELECT id FROM listed))
    AND access.user_id = :user_id AND access.role = ANY(:may_patient_read)
    GROUP BY access.study_id
)
SELECT
    json_build_object(
        'total', (SELECT count(*)::int FROM found),
        'studies', COALESCE(json_agg(json_build_object(
            'study_id', listed.id,
            'name', listed.name,
            'organization', json_build_object('organization_id', organization.id, 'name', organization.name),
            'scopes', ARRAY(
                SELECT code.coding_code
                FROM core_studyscoperequest AS request
                JOIN core_codeableconcept AS code ON code.id = request.code_id
                WHERE request.study_id = listed.id ORDER BY code.id
            ),
            'patients', COALESCE(enrolled.patients, 0)
        ) ORDER BY listed.id), '[]')
    ) AS body,
    '{}'::bigint[] AS patient_ids
FROM listed
JOIN core_organization AS organization ON organization.id = listed.organization_id
LEFT JOIN enrolled ON enrolled.study_id = listed.id
HAVING :organization_id IS NULL
    OR EXISTS (SELECT FROM visible WHERE visible.organization_id = :organization_id)
    OR EXISTS (
        SELECT FROM access_organization AS access
        WHERE access.organization_id = :organization_id AND access.user_id = :user_id
        AND access.role = ANY(:may_organization_read)
    )
