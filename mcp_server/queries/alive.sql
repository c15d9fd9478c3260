-- Does the database answer?
SELECT true AS alive
