"""backup --where, --mask, --cascade: what is left fits together, or nothing is written."""

import json

import pytest

from harness import compare

STORE = """
CREATE SCHEMA shop;
CREATE TABLE shop.country (code char(2) PRIMARY KEY, name text NOT NULL);
CREATE TABLE shop.customer (
    id int PRIMARY KEY, country char(2) NOT NULL REFERENCES shop.country, email text NOT NULL UNIQUE,
    born date, shout text GENERATED ALWAYS AS (upper(email)) STORED,
    CONSTRAINT has_at CHECK (email LIKE '%@%'));
CREATE TABLE shop."Orders" (
    id int PRIMARY KEY, customer int REFERENCES shop.customer, placed timestamptz NOT NULL, note text);
CREATE TABLE shop.line (
    "order" int REFERENCES shop."Orders" ON DELETE CASCADE, n int, t text, PRIMARY KEY ("order", n));
CREATE FUNCTION shop.lower(text) RETURNS float VOLATILE LANGUAGE sql AS 'SELECT random()';
INSERT INTO shop.country VALUES ('NZ', 'New Zealand'), ('FR', 'France'), ('CH', 'Switzerland');
INSERT INTO shop.customer (id, country, email, born)
    SELECT g, (ARRAY['NZ', 'FR', 'CH'])[1 + g % 3], 'user' || g || '@real.example', '1980-01-01'::date + g
    FROM generate_series(1, 300) g;
INSERT INTO shop."Orders" SELECT g, nullif(g % 301, 0), now() - g * interval '1 hour', md5(g::text)
    FROM generate_series(1, 3000) g;
INSERT INTO shop.line SELECT o, n, repeat(md5((o * n)::text), 4)
    FROM generate_series(1, 3000) o, generate_series(1, 4) n;
ANALYZE;
"""


@pytest.fixture(scope="module")
def store_template(cluster):
    name = cluster.create("filter_store", sql=STORE)
    yield name
    cluster.drop(name)


@pytest.fixture
def store(database, store_template):
    return database(template=store_template)


def restored(pgstow, database, backup):
    target = pgstow.cluster.fresh_name("part")
    database.later(target)
    pgstow.restore(backup, target)
    return target


def refused(pgstow, kind, db, *args):
    """A backup that must not come about. Returns the run."""
    before = pgstow.manifests() if pgstow.repo.exists() else []
    result = pgstow.run("backup", *args, db=db, expect=kind)
    after = pgstow.files() if pgstow.repo.exists() else {}
    assert [n for n in after if n.endswith(".manifest")] == [f"backups/{n}.manifest" for n in before]
    assert not [n for n in after if n.startswith("packs/")] or before, after
    return result


# ---------------------------------------------------------------- --where


def test_where_leaves_rows_out(cluster, pgstow, store, database):
    backup = pgstow.backup(store, "--where", "shop.line: n <= 2 OR t IS NULL", "--jobs", "3")
    copy = restored(pgstow, database, backup)
    assert cluster.sql("SELECT count(*), max(n) FROM shop.line", copy) == "6000|2"
    assert cluster.sql('SELECT count(*) FROM shop."Orders"', copy) == "3000"
    compare.assert_same_dump(cluster, store, copy, "--schema-only")
    kept = "SELECT md5(string_agg(l::text, ',' ORDER BY \"order\", n)) FROM shop.line l WHERE n <= 2"
    assert cluster.sql(kept, store) == cluster.sql(kept, copy)
    meta = pgstow.metadata(backup)
    assert meta["filter"] == "where=shop.line: n <= 2 OR t IS NULL" and meta["rows"] == 3 + 300 + 3000 + 6000
    pgstow.run("show", backup).says(r"n <= 2 OR t IS NULL")
    pgstow.run("list").says(r"\(part\)")
    pgstow.run("check", store, expect="STALE")
    pgstow.run("verify", "--level", "rebuild")


def test_several_conditions_are_all_meant(cluster, pgstow, store, database):
    backup = pgstow.backup(store, "--where", "line: n > 1", "--where", "shop.line: n < 3 -- not more")
    copy = restored(pgstow, database, backup)
    assert cluster.sql("SELECT DISTINCT n FROM shop.line", copy) == "2"


def test_ranges_of_pages(cluster, pgstow, database):
    """A table that is read in pieces, and with TOAST in many: each has the condition."""
    name = database("""CREATE TABLE big (id int PRIMARY KEY, t text);
        ALTER TABLE big ALTER t SET STORAGE EXTERNAL;
        INSERT INTO big SELECT g, repeat(md5(g::text), 4000) FROM generate_series(1, 1100) g;""")
    whole = pgstow.backup(name)
    part = pgstow.backup(name, "--where", "public.big: id % 3 = 0 OR id = 1", "--jobs", "2")
    tables = {i: pgstow.run("show", i, "--tables", "--json").json["tableList"][0]["rows"] for i in (whole, part)}
    assert tables == {whole: 1100, part: 367}
    # What both have is stored once.
    assert pgstow.metadata(part)["newBytes"] < pgstow.metadata(whole)["newBytes"] / 3
    copy = restored(pgstow, database, part)
    assert cluster.sql("SELECT count(*), count(*) FILTER (WHERE id % 3 <> 0) FROM big", copy) == "367|1"


def test_now_is_the_same_for_all_readers(cluster, pgstow, store, database):
    """Parents by the age of a row, children along: no row may fall between two readers' clocks."""
    backup = pgstow.backup(store, "--cascade", "--jobs", "4", "--where",
                           "shop.\"Orders\": placed > now() - interval '10 days'")  # fmt: skip
    copy = restored(pgstow, database, backup)
    orders = cluster.sql('SELECT count(*) FROM shop."Orders"', copy)
    assert 0 < int(orders) <= 240
    assert cluster.sql("SELECT count(*) FROM shop.line", copy) == str(4 * int(orders))


def test_partitioned_table(cluster, pgstow, database):
    name = database("""
        CREATE TABLE log (id int, day date, t text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
        CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
        CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM ('2024-02-01') TO ('2024-03-01') PARTITION BY HASH (id);
        CREATE TABLE log_2a PARTITION OF log_2 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
        CREATE TABLE log_2b (t text, gone int, day date NOT NULL, id int NOT NULL);
        ALTER TABLE log_2b DROP COLUMN gone;
        ALTER TABLE log_2 ATTACH PARTITION log_2b FOR VALUES WITH (MODULUS 2, REMAINDER 1);
        CREATE TABLE log_3 PARTITION OF log FOR VALUES FROM ('2024-03-01') TO ('2024-04-01');
        CREATE TABLE note (log int, day date, n int, FOREIGN KEY (log, day) REFERENCES log);
        INSERT INTO log SELECT g, '2024-01-01'::date + g % 90, md5(g::text) FROM generate_series(1, 900) g;
        INSERT INTO note SELECT id, day, 1 FROM log; INSERT INTO note VALUES (NULL, '2024-01-01', 2);
    """)  # fmt: skip
    part = ["--where", "public.log: log.id % 10 = 0", "--mask", "log.t: 'x' || log.id"]
    refused(pgstow, "PREFLIGHT", name, *part).error_says("public.note", "810 rows", "public.log", "--cascade")
    copy = restored(pgstow, database, pgstow.backup(name, *part, "--cascade"))
    assert cluster.sql("SELECT count(*), count(DISTINCT tableoid), bool_and(t = 'x' || id) FROM log", copy) == "90|4|t"
    assert cluster.sql("SELECT count(*) FROM note", copy) == "91"
    # One partition alone, by its own name.
    copy = restored(pgstow, database, pgstow.backup(name, "--where", "public.log_3: log_3.id < 0", "--cascade"))
    assert cluster.sql("SELECT count(*) FROM log_3", copy) == "0"
    assert cluster.sql("SELECT count(*) FROM log", copy) == cluster.sql("SELECT count(*) FROM log WHERE day < '2024-03-01'", name)
    assert cluster.sql("SELECT count(*) FROM note WHERE day >= '2024-03-01'", copy) == "0"


def test_awkward_names(cluster, pgstow, database):
    name = database("""
        CREATE SCHEMA "odd: schema";
        CREATE TABLE "odd: schema"."pgstow_p" (id int PRIMARY KEY, "a ""b: c" text);
        CREATE TABLE "odd: schema"."T; DROP" (id int REFERENCES "odd: schema".pgstow_p, "%s" text);
        INSERT INTO "odd: schema".pgstow_p SELECT g, 'v' || g FROM generate_series(1, 10) g;
        INSERT INTO "odd: schema"."T; DROP" SELECT g, 'w' FROM generate_series(1, 10) g;
    """)
    backup = pgstow.backup(name, "--cascade", "--where", '"odd: schema".pgstow_p: "a ""b: c" <> \'v3; -- \' AND id > 4',
                           "--mask", '"odd: schema"."T; DROP"."%s": \'a):b\' || "%s"')  # fmt: skip
    copy = restored(pgstow, database, backup)
    assert cluster.rows('SELECT count(*), min("%s") FROM "odd: schema"."T; DROP"', copy) == [["6", "a):bw"]]


def test_other_encoding(cluster, pgstow, database):
    name = cluster.fresh_name("latin")
    cluster.sql(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING LATIN1 LOCALE 'C'")
    database.later(name)
    cluster.sql("CREATE TABLE gäste (id int PRIMARY KEY, größe text); INSERT INTO gäste VALUES (1, 'ä'), (2, 'ö');"
                "CREATE TABLE n (g int REFERENCES gäste); INSERT INTO n VALUES (1), (2)", name)  # fmt: skip
    backup = pgstow.backup(name, "--where", "gäste: größe = 'ö'", "--mask", "gäste.größe: größe || 'ß'", "--cascade")
    assert pgstow.run("show", backup, "--json").json["masked"] == ["public.gäste.größe"]
    copy = restored(pgstow, database, backup)
    assert cluster.rows("SELECT id, größe, (SELECT count(*) FROM n) FROM gäste", copy) == [["2", "öß", "1"]]


def test_configuration_of_an_extension(cluster, pgstow, database):
    """Its table has a condition of its own, which holds besides."""
    name = database("""CREATE EXTENSION pgstow_fixture;
        INSERT INTO fixture_settings SELECT 's' || g, g, false FROM generate_series(1, 9) g""")
    backup = pgstow.backup(name, "--where", "fixture_settings: name > 's7' OR name = 'version'",
                           "--mask", "fixture_settings.value: 'm' || value")  # fmt: skip
    copy = restored(pgstow, database, backup)
    assert cluster.sql("SELECT name, value FROM fixture_settings WHERE NOT builtin ORDER BY 1", copy) == "s8|m8\ns9|m9"
    assert cluster.sql("SELECT count(*) FROM fixture_settings WHERE builtin", copy) == "2"


def test_rows_alone(cluster, pgstow, store):
    """Without pg_dump the filter is the same."""
    args = ["--fallback", "json", "--where", "shop.country: code = 'CH'", "--mask", "shop.customer.born: NULL"]
    env = {"FORCE_PG_DUMP_MISSING": "1"}
    pgstow.run("backup", *args, db=store, env=env, expect="PREFLIGHT").error_says("200 rows of shop.customer", "--cascade")
    backup = pgstow.run("backup", *args, "--cascade", db=store, env=env).id
    rows = {t["name"]: t["rows"] for t in pgstow.run("show", backup, "--tables", "--json").json["tableList"]}
    assert (rows["country"], rows["customer"], rows["line"]) == (1, 100, 4 * rows["Orders"])
    out = pgstow.folder / "rows.jsonl"
    pgstow.run("export", backup, "--format", "json", "-o", out)
    assert "1980-" not in out.read_text() and "user2@real.example" in out.read_text()


@pytest.mark.parametrize(("option", "given", "kind", "words"), [
    ("--where", "shop.lime: n = 1", "USAGE", ["shop.lime", "shop.line"]),
    ("--where", "line = 1", "USAGE", ["schema.table: condition"]),
    ("--where", "shop.line", "USAGE", ["schema.table: condition"]),
    ("--where", "shop.line:", "USAGE", ["empty"]),
    ("--where", "shop.line: n = 1; DELETE FROM shop.line", "USAGE", ["semicolon"]),
    ("--where", "shop.line: true) UNION ALL SELECT 1, 2, (SELECT 'x'", "USAGE", ["parenthesis"]),
    ("--where", "shop.line: true --\r) TO '/nowhere' --", "USAGE", ["parenthesis"]),
    ("--where", "shop.line: SELECT true", "USAGE", ["syntax error"]),  # by the server's own reading, no one expression
    ("--where", "shop.line: m = 1", "USAGE", ["m", "does not exist"]),
    ("--where", "shop.line: n =", "USAGE", ["syntax error"]),
    ("--where", "shop.line: n", "USAGE", ["boolean"]),
    ("--where", "shop.line: count(*) > 1", "USAGE", ["aggregate"]),
    ("--where", 'shop."Orders": random() < 0.5', "USAGE", ["random", "Orders"]),
    ("--where", 'shop."Orders": shop.lower(note) < 0.5', "USAGE", ["lower", "Orders"]),
    ("--where", 'shop."Orders": lower(note) < \'0\'', "PREFLIGHT", ["line"]),  # another one
    ("--cascade", "--quiet", "USAGE", ["--where"]),
    ("--mask", "shop.customer.emial: 'x'", "USAGE", ["emial", "email"]),
    ("--mask", "customer: 'x'", "USAGE", ["schema.table.column: expression"]),
    ("--mask", "shop.customer.shout: 'x'", "USAGE", ["generated"]),
    ("--mask", "shop.customer.born: true", "USAGE", ["born", "cast"]),
    ("--mask", "shop.line.t: unnest(ARRAY['a', 'b'])", "USAGE", ["shop.line.t", "set-returning"]),
    ("--mask", "shop.line.n: max(n)", "USAGE", ["aggregate"]),
    ("--mask", "shop.customer.born: email::date", "DB", ["shop.customer", "user1@real.example"]),
    ("--mask", "shop.customer.email: nullif(email, 'user7@real.example')", "PREFLIGHT",
     ["shop.customer.email", "NULL for 1 rows"]),
    ("--mask", "shop.customer.email: 'same@x'", "PREFLIGHT", ["shop.customer", "customer_email_key"]),
    ("--mask", "shop.customer.email: 'user' || id", "PREFLIGHT", ["300 rows of shop.customer", "has_at"]),
    ("--mask", "shop.customer.id: id + 1000", "PREFLIGHT", ["Orders", "customer", "masked"]),
    ("--mask", 'shop."Orders".customer: 7777', "PREFLIGHT", ["3000 rows of shop.Orders", "masked"]),
    ("--mask", 'shop."Orders".customer: (random() * 300)::int', "USAGE", ["random"]),
])  # fmt: skip
def test_refused_before_anything_is_written(pgstow, store, option, given, kind, words):
    refused(pgstow, kind, store, option, given).error_says(*words)


# ---------------------------------------------------------------- --mask


def test_masks(cluster, pgstow, store, database):
    backup = pgstow.backup(
        store, "--mask", "shop.customer.email: 'u' || md5(email) || '@example.com'", "--mask", "customer.born: NULL",
        "--mask", "shop.\"Orders\".note: CASE WHEN id % 2 = 0 THEN note ELSE 'none of yours' END",
    )  # fmt: skip
    copy = restored(pgstow, database, backup)
    assert cluster.sql("""SELECT count(*), count(DISTINCT email), count(born), bool_and(shout = upper(email)),
        bool_and(email LIKE 'u________________________________@example.com') FROM shop.customer""", copy) == "300|300|0|t|t"
    assert cluster.sql("SELECT count(*) FROM shop.\"Orders\" WHERE note = 'none of yours'", copy) == "1500"
    # Nothing of it is in the repository, and it says what it is.
    for path in pgstow.repo.rglob("*"):
        assert path.is_dir() or b"real.example" not in path.read_bytes()
    archive = pgstow.folder / "x.dump"
    pgstow.run("export", backup, "-o", archive)
    assert b"real.example" not in archive.read_bytes() and b"@example.com" in archive.read_bytes()
    masked = ["shop.customer.email", "shop.customer.born", "shop.Orders.note"]
    assert pgstow.metadata(backup)["masked"] == masked
    pgstow.run("show", backup).says(*masked)
    pgstow.run("list").says(r"\(masked\)")
    pgstow.run("check", store, expect="STALE")
    dry = pgstow.restore(backup, store, "--replace", "--dry-run")
    dry.says("masked", "in the place of those of: shop.customer.email, shop.customer.born", "the real ones")
    # Not the lineage of whole backups, nor their parent.
    whole = pgstow.backup(store)
    assert pgstow.metadata(whole)["parent"] == "" and "masked" not in pgstow.metadata(whole)


def test_keys_masked_on_both_sides(cluster, pgstow, store, database):
    masks = ["--mask", "shop.customer.id: id * 2 + 1", "--mask", 'shop."Orders".customer: customer * 2 + 1']
    copy = restored(pgstow, database, pgstow.backup(store, *masks))
    assert cluster.sql('SELECT min(customer), max(customer) FROM shop."Orders"', copy) == "3|601"


def test_mask_of_a_partition_key(cluster, pgstow, database):
    name = database("""CREATE TABLE p (id int, t text) PARTITION BY LIST (id);
        CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
        INSERT INTO p VALUES (1, 'a'), (2, 'b')""")
    refused(pgstow, "PREFLIGHT", name, "--mask", "p.id: 3 - id").error_says("partition", "p1")


# ---------------------------------------------------------------- --cascade


def test_dangling_is_found(pgstow, store):
    result = refused(pgstow, "PREFLIGHT", store, "--where", "shop.customer: country = 'NZ'")
    count = 3000 - 3000 // 301 - len([g for g in range(1, 3001) if g % 301 and (g % 301) % 3 == 0])
    result.error_says(f"{count} rows of shop.Orders", "shop.customer", "Orders_customer_fkey", "--cascade")
    refused(pgstow, "PREFLIGHT", store, "--exclude-table-data", "shop.country").error_says("shop.customer", "300 rows")
    refused(pgstow, "PREFLIGHT", store, "--exclude-table", "shop.country").error_says("shop.customer", "altogether")


def test_cascade_goes_all_the_way(cluster, pgstow, store, database):
    backup = pgstow.backup(store, "--where", "shop.country: code <> 'FR'", "--cascade", "--jobs", "3")
    copy = restored(pgstow, database, backup)
    for table, wanted in (
        ("country", "code <> 'FR'"), ("customer", "country <> 'FR'"),
        ('"Orders"', "customer IS NULL OR customer IN (SELECT id FROM shop.customer WHERE country <> 'FR')"),
        ("line", '"order" IN (SELECT id FROM shop."Orders" WHERE customer IS NULL OR customer IN '
                 "(SELECT id FROM shop.customer WHERE country <> 'FR'))"),
    ):  # fmt: skip
        rows = f"SELECT count(*), md5(string_agg(x::text, ',' ORDER BY x::text)) FROM shop.{table} x"
        assert cluster.sql(rows, copy) == cluster.sql(f"{rows} WHERE {wanted}", store), table
    assert pgstow.metadata(backup)["filter"].endswith(" cascade")


def test_cascade_from_a_table_without_rows(cluster, pgstow, store, database):
    backup = pgstow.backup(store, "--exclude-table-data", "shop.customer", "--cascade")
    copy = restored(pgstow, database, backup)
    assert cluster.sql('SELECT (SELECT count(*) FROM shop."Orders"), (SELECT count(*) FROM shop.line)', copy) == "9|36"


def test_circles_of_foreign_keys(cluster, pgstow, database):
    """A table that refers to itself, and three that refer to each other in a circle."""
    name = database("""
        CREATE TABLE employee (id int PRIMARY KEY, boss int REFERENCES employee);
        INSERT INTO employee SELECT g, nullif(g / 2, 0) FROM generate_series(1, 1000) g;
        CREATE TABLE badge (employee int NOT NULL REFERENCES employee);
        INSERT INTO badge SELECT id FROM employee;
        CREATE TABLE a (id int PRIMARY KEY, c int); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a);
        CREATE TABLE c (id int PRIMARY KEY, b int REFERENCES b);
        INSERT INTO a SELECT g, g FROM generate_series(1, 50) g; INSERT INTO b SELECT g, g FROM generate_series(1, 50) g;
        INSERT INTO c SELECT g, g % 50 + 1 FROM generate_series(1, 50) g;
        ALTER TABLE a ADD FOREIGN KEY (c) REFERENCES c;
        INSERT INTO b VALUES (51, NULL), (52, NULL); INSERT INTO c VALUES (51, 51), (52, 52); INSERT INTO a VALUES (51, 51);
    """)  # fmt: skip
    refused(pgstow, "PREFLIGHT", name, "--where", "employee: id <> 5").error_says("2 rows of public.employee", "badge")
    backup = pgstow.backup(name, "--cascade", "--where", "public.employee: id <> 5", "--where", "b: id <> 3 AND id <> 52")
    copy = restored(pgstow, database, backup)
    under = [5]
    for boss in under:
        under += [g for g in (2 * boss, 2 * boss + 1) if g <= 1000]
    assert cluster.sql("SELECT count(*) FROM employee", copy) == str(1000 - len(under))
    assert cluster.sql("SELECT count(*) FROM badge", copy) == str(1000 - len(under))
    # All of the ring of 50 hangs on one row; what stands beside it stays.
    assert cluster.rows("SELECT (SELECT array_agg(id) FROM a), (SELECT array_agg(id) FROM b), "
                        "(SELECT array_agg(id) FROM c)", copy) == [["{51}", "{51}", "{51}"]]  # fmt: skip


def test_two_ways_to_a_parent(cluster, pgstow, database):
    """A diamond, a composite key, and a key in another table's primary key."""
    name = database("""
        CREATE TABLE top (x int, y text, PRIMARY KEY (x, y));
        CREATE TABLE l (x int, y text, n int, FOREIGN KEY (x, y) REFERENCES top, PRIMARY KEY (x, y));
        CREATE TABLE r (id bigint PRIMARY KEY, x int, y text, FOREIGN KEY (x, y) REFERENCES top);
        CREATE TABLE bottom (lx int, ly text, r int REFERENCES r, FOREIGN KEY (lx, ly) REFERENCES l);
        INSERT INTO top SELECT g % 10, g::text FROM generate_series(1, 100) g;
        INSERT INTO l SELECT x, y, 1 FROM top; INSERT INTO r SELECT y::int, x, y FROM top;
        INSERT INTO r VALUES (200, 1, NULL);
        INSERT INTO bottom SELECT x, y, 101 - y::int FROM top; INSERT INTO bottom VALUES (0, NULL, 200);
    """)  # fmt: skip
    backup = pgstow.backup(name, "--cascade", "--where", "public.top: x < 5")
    copy = restored(pgstow, database, backup)
    kept = [g for g in range(1, 101) if g % 10 < 5]
    assert cluster.sql("SELECT (SELECT count(*) FROM l), (SELECT count(*) FROM r)", copy) == "50|51"
    both = [g for g in kept if (101 - g) % 10 < 5]
    assert cluster.sql("SELECT count(*) FROM bottom", copy) == str(len(both) + 1)


def test_a_waiting_lock_stops_nothing(cluster, pgstow_faults, store):
    """Somebody waits for an exclusive lock on the parent while its children are read with its condition."""
    with pgstow_faults.start("backup", "--cascade", "--where", "shop.customer: country = 'NZ'", db=store,
                             env={"PGSTOW_FAULT": "backup.opened:stop"}) as running:  # fmt: skip
        assert running.wait_stopped()
        with cluster.session(store) as waiting:
            waiting.send("BEGIN; LOCK TABLE shop.customer IN ACCESS EXCLUSIVE MODE")
            while cluster.sql("SELECT count(*) FROM pg_locks WHERE NOT granted") == "0":
                pass
            running.resume()
            result = running.wait(60).expect("OK")
    rows = {t["name"]: t["rows"] for t in pgstow_faults.run("show", result.id, "--tables", "--json").json["tableList"]}
    assert rows["customer"] == 100 and 0 < rows["Orders"] < 1100 and rows["line"] == 4 * rows["Orders"]


# ---------------------------------------------------------------- at export


def only(program, *before):
    """Nothing of a filtered export is left: no scratch database, no folder."""
    assert program.cluster.databases() == set(before[0]), "a scratch database is left"
    assert list((program.folder / "tmp").iterdir()) == []


def export(program, db, backup, *args, **kwargs):
    (program.folder / "tmp").mkdir(exist_ok=True)
    before = program.cluster.databases()
    result = program.run("export", backup, *args, db=db, env={"TMPDIR": program.folder / "tmp"}, **kwargs)
    only(program, before)
    return result


FILTER = ["--where", "shop.country: code = 'CH'", "--cascade", "--mask", "shop.customer.email: 'x' || id || '@example.com'"]


def test_export(cluster, pgstow, store, database):
    """What a filtered backup gives and what a filtered export of a whole one gives is the same."""
    cluster.sql("DO $$ BEGIN CREATE ROLE filter_owner; EXCEPTION WHEN duplicate_object THEN NULL; END $$;"
                'ALTER TABLE shop."Orders" OWNER TO filter_owner; GRANT SELECT ON shop.line TO filter_owner', store)  # fmt: skip
    whole = pgstow.backup(store)
    part = restored(pgstow, database, pgstow.backup(store, *FILTER))
    archive = pgstow.folder / "part.dump"
    said = export(pgstow, store, whole, "-o", archive, *FILTER, "--json").json
    assert said["id"] == whole and "mask=shop.customer.email" in said["filter"]
    copy = cluster.create()
    database.later(copy)
    cluster.tool("pg_restore", "-d", copy, "--exit-on-error", archive)
    compare.assert_same(cluster, part, copy)
    assert b"real.example" not in archive.read_bytes()
    assert pgstow.ids()[0] == whole and len(pgstow.ids()) == 2


def test_export_of_other_formats(cluster, pgstow, store):
    whole = pgstow.backup(store)
    csv = pgstow.folder / "customer.csv"
    export(pgstow, store, whole, "-o", csv, "--table", "shop.customer", "--where", "shop.customer: id <= 3", *FILTER)
    lines = csv.read_text().splitlines()
    assert len(lines) == 2 and "x2@example.com" in lines[1]
    sql = pgstow.folder / "part.sql"
    export(pgstow, store, whole, "-o", sql, *FILTER)
    text = sql.read_text()
    assert "x2@example.com" in text and "real.example" not in text


def test_a_filtered_export_says_so(cluster, pgstow, store):
    lines = pgstow.folder / "x.json"
    export(pgstow, store, pgstow.backup(store), "-o", lines, *FILTER)
    header = json.loads(lines.read_text().splitlines()[0])["header"]
    assert "where=shop.country: code = 'CH'" in header["filter"] and "mask=shop.customer.email" in header["filter"]


def test_no_masked_value_in_what_is_said_of_the_database(cluster, pgstow, database):
    """The consistency check before the backup names keys; they would be in its manifest."""
    db = database("""CREATE TABLE person (email text PRIMARY KEY); CREATE TABLE note (email text PRIMARY KEY);
        INSERT INTO note VALUES ('secret@real.example');
        ALTER TABLE note ADD FOREIGN KEY (email) REFERENCES person NOT VALID""")
    enough = ["backup", "--validate-seconds", "10"]
    pgstow.run(*enough, db=db).says("consistency", "secret@real")
    masked = pgstow.run(*enough, "--mask", "note.email: md5(email)", db=db).says("consistency")
    assert "secret@real" not in masked.said and "secret@real" not in json.dumps(pgstow.metadata(masked.id))


def test_who_inherits_a_masked_column_is_named(cluster, pgstow, database):
    db = database("""CREATE TABLE person (id int, email text); CREATE TABLE worker (pay int) INHERITS (person);
        CREATE TABLE boss () INHERITS (worker); CREATE TABLE blank () INHERITS (person);
        INSERT INTO boss VALUES (1, 'boss@real.example', 3)""")
    given = ["--mask", "person.email: 'x'", "--mask", "worker.email: 'x'", "--exclude-table-data", "blank"]
    run = pgstow.run("backup", *given, db=db).says("column email of public.boss is not masked")
    assert "of public.worker is" not in run.said and "public.blank" not in run.said
    assert "not masked" not in pgstow.run("backup", *given, "--mask", "boss.email: 'x'", db=db).said


def test_export_of_inherited_columns(cluster, pgstow, database):
    """A table that came to its parent later has its columns in another order when it is made anew."""
    name = database("""CREATE TABLE parent (a int, b text); CREATE TABLE child (c int, b text, a int);
        ALTER TABLE child INHERIT parent; INSERT INTO child VALUES (1, 'two', 3); INSERT INTO parent VALUES (4, 'five')""")
    whole = pgstow.backup(name)
    archive = pgstow.folder / "x.dump"
    export(pgstow, name, whole, "-o", archive, "--where", "parent: a > 4")
    copy = cluster.create()
    database.later(copy)
    cluster.tool("pg_restore", "-d", copy, "--exit-on-error", archive)
    assert cluster.sql("SELECT a, b, c FROM child; SELECT count(*) FROM ONLY parent", copy) == "3|two|1\n0"


def test_export_refusals(pgstow, store):
    whole = pgstow.backup(store)
    out = pgstow.folder / "x.dump"
    pgstow.run("export", whole, "-o", out, *FILTER, expect="USAGE").error_says("--db")
    export(pgstow, store, whole, "-o", out, "--where", "shop.line: q = 1", expect="USAGE").error_says("--where shop.line")
    export(pgstow, store, whole, "-o", out, "--where", "shop.country: false", expect="PREFLIGHT").error_says("--cascade")
    export(pgstow, store, whole, "-o", out, "--cascade", expect="USAGE")
    export(pgstow, store, whole, "-o", out, "--format", "globals", *FILTER, expect="USAGE")
    assert not out.exists()


def test_guard_wants_all(pgstow, store):
    result = pgstow.run("guard", "--where", "shop.line: n = 1", "--", "true", db=store, expect="USAGE")
    assert not pgstow.repo.exists(), result


def test_a_merge_of_masked_values_is_asked_about(cluster, pgstow, database):
    """Nobody gets back what a mask has taken the place of."""
    rows = "CREATE TABLE t (id int PRIMARY KEY, mail text); INSERT INTO t VALUES (1, 'a@b.c')"
    source, target = database(sql=rows), database(sql=rows)
    backup = pgstow.backup(source, "--mask", "public.t.mail: 'x'")
    pgstow.run("restore", backup, "--merge", "upsert", db=target, expect="CONFIRM").error_says("public.t.mail", "--yes")
    assert cluster.sql("SELECT mail FROM t", target) == "a@b.c"
    pgstow.run("restore", backup, "--merge", "upsert", "--dry-run", db=target)
    pgstow.run("restore", backup, "--merge", "upsert", "--yes", db=target)
    assert cluster.sql("SELECT mail FROM t", target) == "x"
