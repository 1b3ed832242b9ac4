-- As pg_restore's sessions, and with settings of the database or the role that would be in the way.
SET statement_timeout = 0;
SET lock_timeout = 0;
SET standard_conforming_strings = on;
SET check_function_bodies = off;
SET xmloption = content;
SET client_min_messages = warning;
SET array_nulls = on;
SET default_transaction_read_only = off;
SET default_transaction_isolation = 'read committed';
SET default_tablespace = '';
SET synchronous_commit = off;
SET search_path = '';
