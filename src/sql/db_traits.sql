-- $1: the database. What belongs to a database and stands in no archive. The tablespace only where
-- it is another than the default, which one needs a privilege to name.
SELECT d.oid, pg_catalog.pg_get_userbyid(d.datdba), pg_catalog.pg_encoding_to_char(d.encoding),
       d.datcollate, d.datctype, nullif(t.spcname, 'pg_default'), d.datistemplate, d.datallowconn, d.datconnlimit,
       d.datacl IS NOT NULL, pg_catalog.shobj_description(d.oid, 'pg_database'),
       pg_catalog.row_to_json(d) ->> 'datlocprovider',
       coalesce(pg_catalog.row_to_json(d) ->> 'datlocale', pg_catalog.row_to_json(d) ->> 'daticulocale')
FROM pg_catalog.pg_database d
JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace
WHERE d.datname = $1
