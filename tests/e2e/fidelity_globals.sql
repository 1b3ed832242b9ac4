-- Roles and a tablespace that fidelity.sql needs. They belong to the cluster, not to a database,
-- so this file may be run again and again.
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['fid_owner', 'fid_reader', 'fid_writer', 'Fid "quoted" rôle']
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            EXECUTE format('CREATE ROLE %I', role_name);
        END IF;
    END LOOP;
END $$;
GRANT fid_owner TO fid_writer;

SET allow_in_place_tablespaces = on;
SELECT NOT EXISTS (SELECT FROM pg_tablespace WHERE spcname = 'fid space') AS missing \gset
\if :missing
CREATE TABLESPACE "fid space" LOCATION '';
\endif
GRANT CREATE ON TABLESPACE "fid space" TO fid_owner;
