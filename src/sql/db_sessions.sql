-- $1: the database. Its sessions, and those of them that the connected role may not end.
SELECT pg_catalog.count(*),
       pg_catalog.count(*) FILTER (WHERE NOT (
           me.rolsuper
           OR NOT them.rolsuper AND (pg_catalog.pg_has_role(them.oid, 'MEMBER')
                                     OR pg_catalog.pg_has_role('pg_signal_backend', 'MEMBER'))))
FROM pg_catalog.pg_stat_activity a
JOIN pg_catalog.pg_roles them ON them.oid = a.usesysid
JOIN pg_catalog.pg_roles me ON me.rolname = current_user
WHERE a.datname = $1
