-- Security labels, in the database of pg_dump's tests. The provider is PostgreSQL's own dummy_seclabel.
SECURITY LABEL ON TABLE dump_test.test_table IS 'top secret';
SECURITY LABEL ON COLUMN dump_test.test_table.col1 IS 'unclassified';
SECURITY LABEL ON SCHEMA dump_test IS 'classified';
SECURITY LABEL ON VIEW dump_test.test_view IS 'secret';
SECURITY LABEL ON MATERIALIZED VIEW dump_test.matview IS 'secret';
SECURITY LABEL ON DOMAIN dump_test.us_postal_code IS 'classified';
SECURITY LABEL ON TYPE dump_test.composite IS 'classified';
SECURITY LABEL ON FUNCTION dump_test.trigger_func() IS 'classified';
SECURITY LABEL ON FOREIGN TABLE dump_test.foreign_table IS 'unclassified';
SECURITY LABEL ON PUBLICATION pub1 IS 'classified';
SECURITY LABEL ON SUBSCRIPTION sub1 IS 'secret';
SECURITY LABEL ON EVENT TRIGGER test_event_trigger IS 'secret';
SECURITY LABEL ON LANGUAGE pltestlang IS 'classified';
SELECT lo_from_bytea(4711, 'labelled');
SECURITY LABEL ON LARGE OBJECT 4711 IS 'top secret';
SECURITY LABEL ON DATABASE dump_test IS 'classified';
