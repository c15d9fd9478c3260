-- What the caller may see of what they want to watch, by its place, each with its mark. It is asked when watching begins,
-- and each time that a change is told of.
WITH /* include marks */
SELECT
    json_object_agg(marks.place, marks.mark) AS body,
    array_agg(DISTINCT marks.id) FILTER (WHERE marks.kind IN ('patient', 'observations')) AS patient_ids
FROM marks
WHERE marks.mark IS NOT NULL
