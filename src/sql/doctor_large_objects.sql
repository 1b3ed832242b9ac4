-- The owners of large objects, how many of them this user may not read, and whether the owner is a
-- superuser.
SELECT pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(m.lomowner)),
       count(CASE WHEN NOT pg_catalog.pg_has_role(m.lomowner, 'USAGE')
                   AND NOT EXISTS (SELECT 1 FROM pg_catalog.aclexplode(m.lomacl) a
                                    WHERE a.privilege_type = 'SELECT'
                                      AND (a.grantee = 0
                                           OR pg_catalog.pg_has_role(a.grantee, 'USAGE')))
                  THEN 1 END),
       EXISTS (SELECT 1 FROM pg_catalog.pg_roles r WHERE r.oid = m.lomowner AND r.rolsuper)
  FROM pg_catalog.pg_largeobject_metadata m
 GROUP BY m.lomowner
 ORDER BY 1
