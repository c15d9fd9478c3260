-- readable   the kinds of data of :patient_id, or of each patient of :study_id, that the caller may read
-- kinds      those of them that :data_type names: by code, or by name; all where it is NULL
readable AS MATERIALIZED (
    SELECT kind.patient_id, kind.code_id, code.coding_code, code.text
    FROM (
        SELECT access.patient_id, access.code_id
        FROM access_observation AS access
        WHERE access.patient_id = :patient_id::bigint
        AND access.user_id = :user_id AND access.role = ANY(:may_observation_read)
        AND (access.study_id IS NULL OR :token_studies::bigint[] IS NULL OR access.study_id = ANY(:token_studies))
        UNION
        SELECT consent.patient_id, consent.code_id
        FROM core_studypatientscopeconsent AS consent
        WHERE consent.study_id = :study_id::bigint AND consent.consented
        AND (:token_studies IS NULL OR consent.study_id = ANY(:token_studies))
        AND /* include shared_with_study */
        AND EXISTS ( -- which the caller has to reach: one's own data is shared with other studies, too
            SELECT FROM access_study AS access
            WHERE access.study_id = :study_id AND access.user_id = :user_id
        )
    ) AS kind
    JOIN core_codeableconcept AS code ON code.id = kind.code_id
), kinds AS MATERIALIZED (
    SELECT * FROM readable AS code
    WHERE :data_type::text IS NULL OR /* include names_kind */
    ORDER BY patient_id, code_id -- as the observations' indexes: neighbours lie on the same pages
)
