-- One row on the database and its server: what doctor tells and reckons with.
SELECT pg_catalog.pg_encoding_to_char(d.encoding),
       pg_catalog.pg_database_size(d.oid),
       t.tables,
       t.indexes,
       t.unlogged,
       (SELECT count(*) FROM pg_catalog.pg_largeobject_metadata),
       pg_catalog.pg_is_in_recovery(),
       pg_catalog.current_setting('wal_level'),
       pg_catalog.current_setting('max_locks_per_transaction'),
       pg_catalog.current_setting('max_connections')::int
           + pg_catalog.current_setting('max_prepared_transactions')::int,
       pg_catalog.current_setting('hot_standby_feedback')::bool,
       pg_catalog.current_setting('max_standby_streaming_delay')
  FROM pg_catalog.pg_database d,
       (SELECT count(CASE WHEN c.relkind IN ('r', 'p') THEN 1 END) AS tables,
               count(CASE WHEN c.relkind IN ('i', 'I') THEN 1 END) AS indexes,
               count(CASE WHEN c.relkind = 'r' AND c.relpersistence = 'u' THEN 1 END) AS unlogged
          FROM pg_catalog.pg_class c
          JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
           AND n.nspname !~ '^pg_(toast|temp)') t
 WHERE d.datname = pg_catalog.current_database()
