-- The two functions that say what is hashed, as this database has them.
SELECT proname, prosrc
FROM pg_proc
WHERE pronamespace = 'public'::regnamespace AND proname IN ('audit_line', 'audit_seal_line')
