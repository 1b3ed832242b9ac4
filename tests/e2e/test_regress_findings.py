"""What PostgreSQL's own regression database and the reading of what it does have taught (./dev regress).

Each case is small, and stock pg_dump and pg_restore can do it too, unless it says otherwise.
"""

import pytest

from harness import compare


def assert_stock_restores(cluster, source, target, folder):
    """What is tested here is no more than what stock tools can do."""
    archive = folder / "stock.dump"
    cluster.tool("pg_dump", "-Fc", "-f", archive, database=source)
    done = cluster.tool("pg_restore", "-d", target, archive, database=target)
    assert not done.stderr, done.stderr


# pg_restore loads tables by name, as they are in the archive; pgstow by size. `things` refers to `kinds`
# by a function, of which nobody knows; the type `known` does as well, and raises an error of its own.
LOOKED_UP = """
CREATE TABLE kinds (kind text PRIMARY KEY);
CREATE FUNCTION kind_exists(text) RETURNS boolean LANGUAGE sql STABLE
    AS 'SELECT EXISTS (SELECT FROM public.kinds k WHERE k.kind = $1)';
CREATE TABLE things (id int PRIMARY KEY, kind text CHECK (kind_exists(kind)), note text);
CREATE FUNCTION must_exist(text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM public.kinds k WHERE k.kind = $1) THEN
        RAISE EXCEPTION 'there is no kind %', $1;
    END IF;
    RETURN true;
END $$;
CREATE DOMAIN known AS text CHECK (must_exist(VALUE));
CREATE TABLE typed (id int PRIMARY KEY, kind known, note text);
CREATE FUNCTION name_of(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN (SELECT 'the ' || k.kind FROM public.kinds k WHERE k.kind = $1);
END $$;
CREATE TABLE with_names (id int PRIMARY KEY, kind text, name text GENERATED ALWAYS AS (name_of(kind)) STORED, note text);
INSERT INTO kinds VALUES ('a'), ('b'), ('c');
INSERT INTO things SELECT g, chr(97 + g % 3), md5(g::text) FROM generate_series(1, 2000) g;
INSERT INTO typed SELECT g, chr(97 + g % 3), md5(g::text) FROM generate_series(1, 1000) g;
INSERT INTO with_names (id, kind, note) SELECT g, chr(97 + g % 3), md5(g::text) FROM generate_series(1, 3000) g;
"""


@pytest.mark.parametrize("jobs", [1, 4])
def test_functions_that_read_other_tables(cluster, pgstow, database, folder, jobs):
    """CHECK constraints, domains and generated columns find the rows of the tables that they look into."""
    source, stock, target = database(LOOKED_UP), database(), database()
    assert_stock_restores(cluster, source, stock, folder)
    pgstow.restore(pgstow.backup(source), target, "--jobs", jobs)
    compare.assert_same(cluster, source, target)
    compare.assert_same(cluster, stock, target)
    assert cluster.sql("SELECT count(*) FROM with_names WHERE name = 'the ' || kind", target) == "3000"


# Each table needs the next one, so the archive's order is the worst one: stock pg_restore fails here.
CHAIN = """
CREATE TABLE t4 (id int PRIMARY KEY);
CREATE FUNCTION in_t4(int) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM public.t4 WHERE id = $1)';
CREATE TABLE t3 (id int PRIMARY KEY CHECK (in_t4(id)), note text DEFAULT repeat('3', 100));
CREATE FUNCTION in_t3(int) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM public.t3 WHERE id = $1)';
CREATE TABLE t2 (id int PRIMARY KEY CHECK (in_t3(id)), note text DEFAULT repeat('2', 200));
CREATE FUNCTION in_t2(int) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM public.t2 WHERE id = $1)';
CREATE TABLE t1 (id int PRIMARY KEY CHECK (in_t2(id)), note text DEFAULT repeat('1', 300));
INSERT INTO t4 SELECT generate_series(1, 100);
INSERT INTO t3 SELECT generate_series(1, 100);
INSERT INTO t2 SELECT generate_series(1, 100);
INSERT INTO t1 SELECT generate_series(1, 100);
"""


def test_a_chain_of_tables_that_need_each_other(cluster, pgstow, database):
    """As long as one more table goes in, the others are tried again."""
    source, target = database(CHAIN), database()
    pgstow.restore(pgstow.backup(source), target, "--jobs", 1)
    compare.assert_same(cluster, source, target)


# Each looks into the other, which is locked while it is loaded: a deadlock, if both are under way.
ENTANGLED = """
CREATE FUNCTION count_of(text) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE n bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM (SELECT FROM public.%I LIMIT 1) s', $1) INTO n;
    RETURN n;
END $$;
CREATE TABLE left_one (id int CHECK (count_of('right_one') >= 0), note text);
CREATE TABLE right_one (id int CHECK (count_of('left_one') >= 0), note text);
INSERT INTO left_one SELECT g, repeat('x', 100) FROM generate_series(1, 1000) g;
INSERT INTO right_one SELECT g, repeat('y', 100) FROM generate_series(1, 1000) g;
"""


def test_tables_that_look_into_each_other(cluster, pgstow, database):
    source, target = database(ENTANGLED), database()
    pgstow.restore(pgstow.backup(source), target, "--jobs", 2)
    compare.assert_same(cluster, source, target)


# Rows that were allowed when they came, and are not any more: no order brings them in.
NO_LONGER = """
CREATE FUNCTION allowed(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE TABLE good (id int CHECK (allowed(id)), note text);
CREATE TABLE broken (id int CHECK (allowed(id)));
CREATE TABLE broken_too (id int CHECK (allowed(id)));
INSERT INTO good SELECT 1, md5(g::text) FROM generate_series(1, 100) g;
INSERT INTO broken VALUES (1), (66);
INSERT INTO broken_too VALUES (67);
CREATE OR REPLACE FUNCTION allowed(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 < 66';
"""


def test_rows_that_no_order_brings_in_fail_the_restore(cluster, pgstow, database):
    """Stock pg_restore leaves the two tables empty and goes on; here that is no restore."""
    source = database(NO_LONGER)
    target = cluster.fresh_name("never")
    done = pgstow.restore(pgstow.backup(source), source, "--to-db", target, expect="DB")
    done.error_says(r"2 tables \(public\.broken, public\.broken_too\)", "broken_allowed_check|broken_id_check", "66", "pgstow export")
    assert "copied" not in done.stdout and not cluster.exists(target)
    assert not [name for name in cluster.databases() if target in name]


# Functions that name things without a schema, as in contrib's earthdistance: pg_restore's search_path is empty.
WITHOUT_SCHEMA = """
CREATE SCHEMA "odd, one";
CREATE TABLE public.rates (name text PRIMARY KEY, rate int);
CREATE TABLE "odd, one".factors (f int);
CREATE FUNCTION public.rate_of(text) RETURNS int LANGUAGE plpgsql IMMUTABLE
    AS 'BEGIN RETURN (SELECT rate FROM rates WHERE name = $1); END';
CREATE FUNCTION public.factor_of(text) RETURNS int LANGUAGE plpgsql IMMUTABLE
    AS 'BEGIN RETURN (SELECT f FROM factors); END';
SET search_path = public, "odd, one";
INSERT INTO rates VALUES ('low', 1), ('high', 2);
INSERT INTO factors VALUES (3);
"""
INDEXED = WITHOUT_SCHEMA + """
CREATE TABLE goods (id int PRIMARY KEY, rate text);
INSERT INTO goods SELECT g, CASE WHEN g % 2 = 0 THEN 'low' ELSE 'high' END FROM generate_series(1, 500) g;
CREATE INDEX goods_rate ON goods ((rate_of(rate) * factor_of(rate)));
CREATE MATERIALIZED VIEW sums AS SELECT rate, sum(rate_of(rate) * factor_of(rate)) FROM goods GROUP BY 1;
"""
CHECKED = WITHOUT_SCHEMA + """
CREATE TABLE goods (id int PRIMARY KEY, rate text CHECK (rate_of(rate) * factor_of(rate) > 0),
    price int GENERATED ALWAYS AS (rate_of(rate) * factor_of(rate)) STORED);
INSERT INTO goods (id, rate) SELECT g, CASE WHEN g % 2 = 0 THEN 'low' ELSE 'high' END FROM generate_series(1, 500) g;
"""


@pytest.mark.parametrize("sql, kind", [(INDEXED, "TOOL_FAILED"), (CHECKED, "DB")], ids=["indexed", "checked"])
def test_functions_that_name_things_without_a_schema(cluster, pgstow, database, sql, kind):
    """Stock pg_restore leaves the index, or the rows, out. Here it fails, says what helps, and that helps."""
    source, target = database(sql), database()
    backup = pgstow.backup(source)
    never = cluster.fresh_name("never")
    refused = pgstow.restore(backup, source, "--to-db", never, expect=kind)
    refused.error_says("does not exist", "--search-path")
    assert not cluster.exists(never)
    pgstow.restore(backup, target, "--search-path", "public", "--search-path", "odd, one").says("restored")
    compare.assert_same(cluster, source, target)


def test_a_search_path_is_a_list_of_names_and_no_sql(cluster, pgstow, database, shop):
    target = database()
    odd = "x'); DROP TABLE public.customer; SELECT set_config('search_path', '"
    pgstow.restore(pgstow.backup(shop), target, "--search-path", odd, "--search-path", '"')
    compare.assert_same(cluster, shop, target)
