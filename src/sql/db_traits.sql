-- $1: the database. What belongs to a database and stands in no archive.
SELECT d.oid, pg_catalog.pg_get_userbyid(d.datdba), pg_catalog.pg_encoding_to_char(d.encoding),
       d.datcollate, d.datctype, t.spcname, d.datistemplate, d.datallowconn, d.datconnlimit,
       d.datacl IS NOT NULL, pg_catalog.shobj_description(d.oid, 'pg_database'),
       pg_catalog.row_to_json(d) ->> 'datlocprovider',
       coalesce(pg_catalog.row_to_json(d) ->> 'datlocale', pg_catalog.row_to_json(d) ->> 'daticulocale')
FROM pg_catalog.pg_database d
JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace
WHERE d.datname = $1
