-- What was named is there for the caller: the patient or the study, and as its data type one of those of the patient that
-- they may read, or of those that the study asks for. Who may read nothing of a patient is not told which types there are.
EXISTS (SELECT FROM kinds) OR /* include visible */ AND (
    :data_type::text IS NULL
    OR :study_id::bigint IS NULL AND NOT EXISTS (SELECT FROM readable)
    OR EXISTS (
        SELECT FROM core_studyscoperequest AS request
        JOIN core_codeableconcept AS code ON code.id = request.code_id
        WHERE request.study_id = :study_id AND /* include names_kind */
    )
)
