-- How many studies the caller may see, in all and by organization, the organizations with most studies first.
WITH counted AS (
    SELECT organization.id, organization.name, count(*)::int AS studies
    FROM core_study AS study
    JOIN core_organization AS organization ON organization.id = study.organization_id
    WHERE EXISTS (
        SELECT FROM access_study AS access
        WHERE access.study_id = study.id AND access.user_id = :user_id AND access.role = ANY(:may_study_read)
    )
    AND (:token_studies::bigint[] IS NULL OR study.id = ANY(:token_studies))
    GROUP BY organization.id, organization.name
), listed AS (
    SELECT * FROM counted ORDER BY counted.studies DESC, counted.id LIMIT :limit
)
SELECT
    json_build_object(
        'total', (SELECT COALESCE(sum(counted.studies), 0)::int FROM counted),
        'organizations', COALESCE(json_agg(json_build_object(
            'organization_id', listed.id, 'name', listed.name, 'studies', listed.studies
        ) ORDER BY listed.studies DESC, listed.id), '[]')
    ) AS body,
    '{}'::bigint[] AS patient_ids
FROM listed
