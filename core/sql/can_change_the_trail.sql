-- Whether this session's role could change or remove what is append-only (the tables whose trigger refuses it): by a
-- privilege, or as somebody who may act as their owner.
SELECT bool_or(
    pg_has_role(class.relowner, 'MEMBER')
    OR has_table_privilege(class.oid, 'UPDATE')
    OR has_table_privilege(class.oid, 'DELETE')
    OR has_table_privilege(class.oid, 'TRUNCATE')
)
FROM pg_trigger refusal
JOIN pg_proc function ON function.oid = refusal.tgfoid AND function.proname = 'refuse_change'
JOIN pg_class class ON class.oid = refusal.tgrelid
