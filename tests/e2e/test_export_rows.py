"""export of rows: upsert, json, csv. What is written must bring the same rows back."""

import gzip
import json
import os
import resource
import signal
import subprocess
import time

import pytest

from harness import compare
from harness.cluster import E2E, SLOWER
from harness.program import Pgstow

# Rows that violate a constraint which is NOT VALID can be restored, but not inserted.
NOT_INSERTABLE = "app.never_validated"


@pytest.fixture(scope="module")
def exported(cluster, module_folder):
    """The fidelity database, its backup, and its definitions alone, as a template."""
    program = Pgstow(cluster, module_folder)
    program.source = cluster.create("rows_fidelity")
    cluster.load(E2E / "fidelity.sql", program.source)
    program.backup_id = program.backup(program.source, "--exclude-table-data", NOT_INSERTABLE)
    program.empty = cluster.create("rows_empty")
    schema = module_folder / "schema.dump"
    cluster.tool("pg_dump", "-Fc", "--schema-only", "-f", schema, database=program.source)
    cluster.tool("pg_restore", "-e", "-d", program.empty, schema)
    for name in (program.source, program.empty):
        cluster.sql("ALTER SUBSCRIPTION fid_subscription DISABLE; DROP SUBSCRIPTION fid_subscription", name)
    cluster.sql(f"TRUNCATE {NOT_INSERTABLE}", program.source)
    yield program
    cluster.drop(program.source, program.empty)


def export(program, *args, backup_id=None, **kwargs):
    """Bytes on standard output."""
    return program.run("export", backup_id or program.backup_id, "-o", "-", *args, **kwargs).stdout_bytes


def run_sql(cluster, database, text, check=True):
    return cluster.tool("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-", database=database, input=text, check=check)


def unlike(cluster, first, second):
    """The tables whose rows differ."""
    views = {f"'{row[0]}'" for row in cluster.rows("SELECT oid::regclass FROM pg_class WHERE relkind = 'm'", first)}
    one, two = (set(compare.row_hashes(cluster, name).split("\n")) for name in (first, second))
    assert len(one) > 30
    return {line.split("|")[0] for line in one ^ two} - views


# ---------------------------------------------------------------- upsert

def test_upsert_fills_an_empty_database(cluster, exported, database):
    copy = database(template=exported.empty)
    run_sql(cluster, copy, export(exported, "--format", "upsert"))
    # Rules and triggers of the fidelity database write rows of their own.
    assert unlike(cluster, exported.source, copy) <= WRITTEN_BY_TRIGGERS
    ask = "SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2"
    assert cluster.sql(ask, copy) == cluster.sql(ask, exported.source)


WRITTEN_BY_TRIGGERS = {"'app.trigger_log'", "'app.rule_log'", "'app.triggered'", "'app.ruled'"}

UPSERT = """
CREATE TABLE parent (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text UNIQUE,
                     twice int GENERATED ALWAYS AS (length(name) * 2) STORED);
CREATE TABLE "a child" (parent int REFERENCES parent, n int, "odd "" name" text, PRIMARY KEY (n, parent));
CREATE TABLE aa_refers (id int PRIMARY KEY, other int);
CREATE TABLE bb_refers (id int PRIMARY KEY, other int REFERENCES aa_refers DEFERRABLE);
ALTER TABLE aa_refers ADD CONSTRAINT back FOREIGN KEY (other) REFERENCES bb_refers;
CREATE TABLE tree (id int PRIMARY KEY, above int REFERENCES tree);
CREATE TABLE only_key (a int, b text, PRIMARY KEY (a, b));
CREATE TABLE keyless (t text);
CREATE TABLE parts (id int, t text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
CREATE TABLE parts_2 (t text, id int NOT NULL);
ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (100) TO (10000);
CREATE TABLE uniq (a int NOT NULL UNIQUE, b text);
CREATE TABLE types (id int PRIMARY KEY, j json, b bytea, a text[], n numeric, ts timestamptz, i interval, f float8,
                    bits bit(3), o bool);
CREATE SEQUENCE counter;
"""
ROWS = r"""
INSERT INTO parent (name) SELECT 'name ' || g FROM generate_series(1, 3000) g;
INSERT INTO "a child" SELECT g % 3000 + 1, g, 'it''s \ ' || g FROM generate_series(1, 3000) g;
INSERT INTO aa_refers SELECT g, NULL FROM generate_series(1, 10) g;
INSERT INTO bb_refers SELECT g, 11 - g FROM generate_series(1, 10) g;
UPDATE aa_refers SET other = id;
INSERT INTO tree SELECT g, CASE WHEN g < 2500 THEN g + 1 END FROM generate_series(1, 2500) g;
INSERT INTO only_key SELECT g, 'b' || g FROM generate_series(1, 20) g;
INSERT INTO keyless VALUES ('once');
INSERT INTO parts SELECT g, 'p' || g FROM generate_series(1, 500) g;
INSERT INTO uniq SELECT g, 'u' || g FROM generate_series(1, 20) g;
INSERT INTO types VALUES (1, '{"a":  [1, "x"]}', '\x00ff27', '{a,NULL,"b\"c"}', 'NaN', '2024-01-15 10:30+02',
                          '1 mon -2 days', 'Infinity', '101', true);
INSERT INTO types (id) VALUES (2);
SELECT setval('counter', 4711);
"""


@pytest.fixture(scope="module")
def shop_of_keys(cluster, module_folder):
    folder = module_folder / "keys"
    folder.mkdir()
    program = Pgstow(cluster, folder)
    program.empty = cluster.create("upsert_empty", sql=UPSERT)
    program.source = cluster.create("upsert_source", template=program.empty, sql=ROWS)
    program.backup_id = program.backup(program.source)
    program.sql = export(program, "--format", "upsert")
    yield program
    cluster.drop(program.empty, program.source)


def test_upsert_changes_what_differs(cluster, shop_of_keys, database):
    """Into tables with other rows: those of the backup win, others stay, the keyless ones are added."""
    copy = database(template=shop_of_keys.source)
    cluster.sql("""
        UPDATE parent SET name = 'changed ' || id WHERE id < 100;
        DELETE FROM "a child" WHERE n < 100;
        UPDATE tree SET above = NULL;
        UPDATE parts SET t = 'changed' WHERE id > 50;
        DELETE FROM only_key WHERE a > 10;
        UPDATE uniq SET b = 'changed';
        UPDATE types SET j = NULL, b = '', a = '{}', n = 1, ts = now(), bits = '000';
        DELETE FROM keyless; SELECT setval('counter', 1);
    """, copy)  # fmt: skip
    run_sql(cluster, copy, shop_of_keys.sql)
    compare.assert_same(cluster, shop_of_keys.source, copy)
    run_sql(cluster, copy, shop_of_keys.sql)
    assert cluster.sql("SELECT count(*) FROM keyless", copy) == "2"
    cluster.sql("DELETE FROM keyless; INSERT INTO keyless VALUES ('once')", copy)
    compare.assert_same(cluster, shop_of_keys.source, copy)


def test_upsert_fills_tables_in_order(cluster, shop_of_keys, database):
    copy = database(template=shop_of_keys.empty)
    run_sql(cluster, copy, shop_of_keys.sql)
    compare.assert_same(cluster, shop_of_keys.source, copy)
    text = shop_of_keys.sql.decode()
    assert text.index("-- public.parent\n") < text.index("-- public.a child\n")
    assert "parts_2\" " not in text, "partitions are written to their root"


def test_upsert_is_one_transaction(cluster, shop_of_keys, database):
    copy = database(template=shop_of_keys.empty)
    cluster.sql("ALTER TABLE uniq ADD CHECK (a < 20)", copy)
    assert run_sql(cluster, copy, shop_of_keys.sql, check=False).returncode == 3
    assert cluster.sql("SELECT count(*) FROM parent", copy) == "0"
    ask = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND condeferrable"
    assert cluster.sql(ask, copy) == "1", "foreign keys stay as they were"


def test_upsert_says_what_it_cannot(shop_of_keys):
    run = shop_of_keys.run("export", shop_of_keys.backup_id, "-F", "upsert", "-o", "-")
    run.error_says("without a primary key.*public.keyless", "foreign key tree_above_fkey", "foreign key back ")
    assert "bb_refers_other_fkey" not in run.stderr


def test_names_cannot_become_sql(cluster, pgstow, database):
    """A table's name with a line break stands in a comment, too."""
    name = 'x\n; DROP TABLE keep; --\n\\q "'
    quoted = '"' + name.replace('"', '""') + '"'
    source = database(sql=f"CREATE TABLE keep (a int PRIMARY KEY); CREATE TABLE {quoted} ({quoted} int PRIMARY KEY, b text);"
                          f"INSERT INTO {quoted} VALUES (1, E'a\\n\\\\.\\n'';'), (2, ':x :''y'' \\q');")  # fmt: skip
    backup_id = pgstow.backup(source)
    before = compare.row_hashes(cluster, source)
    run_sql(cluster, source, export(pgstow, "--format", "upsert", backup_id=backup_id))
    assert compare.row_hashes(cluster, source) == before


# ---------------------------------------------------------------- csv

@pytest.mark.parametrize("table", ["app.texts", "app.values", "app.worn", "app.by_range"])
def test_csv_is_what_the_server_writes(cluster, exported, table, module_folder):
    out = module_folder / f"{table}.csv"
    exported.run("export", exported.backup_id, "--table", table, "-o", out)
    partitioned = table == "app.by_range"
    what = '(SELECT id, d, t FROM app.by_range)' if partitioned else 'app."values"' if table == "app.values" else table
    stock = cluster.tool("psql", "-X", "-q", "-c", "SET TimeZone = 'UTC'; SET extra_float_digits = 3",
                         "-c", f"\\copy {what} TO STDOUT (FORMAT csv, HEADER)", database=exported.source).stdout  # fmt: skip
    if partitioned:
        assert sorted(out.read_bytes().split(b"\n")) == sorted(stock.split(b"\n"))
    else:
        assert out.read_bytes() == stock
    assert out.stat().st_size > 100


def test_csv_comes_back(cluster, exported, database, module_folder):
    copy = database(template=exported.empty)
    packed, out = module_folder / "back.csv.gz", module_folder / "back.csv"
    exported.run("export", exported.backup_id, "--table", "app.texts", "-o", packed)
    out.write_bytes(gzip.decompress(packed.read_bytes()))
    cluster.sql(f"COPY app.texts FROM '{out}' (FORMAT csv, HEADER, ENCODING 'UTF8')", copy)
    ask = "SELECT count(*), md5(string_agg(t::text, '' ORDER BY id)) FROM app.texts t"
    assert cluster.sql(ask, copy) == cluster.sql(ask, exported.source)


def test_csv_is_one_table(exported):
    exported.run("export", exported.backup_id, "-F", "csv", "-o", "-", expect="USAGE").error_says("--table")
    exported.run("export", exported.backup_id, "-F", "csv", "-o", "-", "--table", "app.nosuch", expect="NOT_FOUND")


# ---------------------------------------------------------------- json

TYPES = r"""
CREATE TYPE mood AS ENUM ('sad', 'it''s');
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE TABLE t (id int PRIMARY KEY, i8 int8, n numeric, f float8, b bool, j jsonb, js json, a int[], t text[], m mood,
                d positive, ba bytea, ts timestamp, tz timestamptz, da date, txt text, nested numeric[], bx box[],
                g int GENERATED ALWAYS AS (id * 2) STORED, r int4range);
INSERT INTO t VALUES
 (1, 9223372036854775807, 12345678901234567890.123456789, 0.1, true, '{"a": [1, 2.50, null]}', '{ "k" : 1,
  "k" : 2 }', '{1,NULL,3}', '{a,"b c",NULL,"NULL","q\"\\"}', 'it''s', 7, '\x00ff', '2024-01-15 10:30:00.25',
  '2024-01-15 10:30+02', '2024-01-15', E'tab\there "quoted" \\ ünïcödé 日本\u2028 \x01', '{{1.10,2},{3,NaN}}', '{(1,1),(0,0);(2,2),(0,0)}', DEFAULT, '[1,5)'),
 (3, -1, 'NaN', '-Infinity', false, 'null', 'null', '[0:1]={1,2}', '{}', 'sad', NULL, '', 'infinity',
  '0044-03-15 12:00:00 BC', '-infinity', '', '{}', NULL, DEFAULT, 'empty');
INSERT INTO t (id) VALUES (2);
CREATE SEQUENCE s; SELECT setval('s', 42, false);
"""


def lines(data):
    return [json.loads(line) for line in data.decode().split("\n")[:-1]]


def test_json_keeps_types(cluster, pgstow, database):
    source = database(sql=TYPES)
    data = export(pgstow, "--format", "json", backup_id=pgstow.backup(source))
    header, table, one, three, two, sequence, end = lines(data)
    assert header["header"]["format"] == "pgstow rows" and header["header"]["database"] == source
    columns = {c["name"]: c for c in table["table"]["columns"]}
    assert table["table"]["key"] == ["id"] and "g" not in columns
    assert {n: c["as"] for n, c in columns.items() if c["as"] != "text"} == {
        "id": "number", "i8": "number", "n": "number", "f": "number", "b": "bool", "j": "json", "js": "json",
        "a": "array of number", "t": "array of text", "ts": "time", "tz": "time", "nested": "array of number", "d": "number"}  # fmt: skip
    assert b'"n":12345678901234567890.123456789,' in data and b'"i8":9223372036854775807,' in data
    row = one["row"]
    assert row["j"] == {"a": [1, 2.5, None]} and row["a"] == [1, None, 3] and row["b"] is True
    assert b'"js":{ "k" : 1,   "k" : 2 },' in data
    assert row["t"] == ["a", "b c", None, "NULL", 'q"\\'] and row["m"] == "it's" and row["d"] == 7
    assert row["ba"] == "\\x00ff" and row["ts"] == "2024-01-15T10:30:00.25" and row["tz"] == "2024-01-15T08:30:00Z"
    assert row["txt"] == 'tab\there "quoted" \\ ünïcödé 日本\u2028 \x01' and row["nested"] == [[1.1, 2], [3, "NaN"]]
    assert row["bx"] == "{(1,1),(0,0);(2,2),(0,0)}" and row["r"] == "[1,5)"
    assert set(two["row"].values()) == {2, None} and "j" not in two["row"] and "js" not in two["row"]
    row = three["row"]
    assert row["n"] == "NaN" and row["f"] == "-Infinity" and row["j"] is None and row["js"] is None
    assert row["a"] == "[0:1]={1,2}" and row["t"] == [] and row["txt"] == "" and row["ts"] == "infinity"
    assert row["tz"] == "0044-03-15 12:00:00+00 BC"
    assert sequence == {"sequence": {"schema": "public", "name": "s", "value": 42, "called": False}}
    assert end == {"end": {"tables": 1, "rows": 3}}


DECODER = json.JSONDecoder(parse_float=str, parse_int=str)


def as_text(value):
    """What docs/json.md says of the way back: the text that the server reads."""
    if isinstance(value, list):
        return "{" + ",".join("NULL" if v is None else as_text(v) if isinstance(v, list) else
                              '"' + as_text(v).replace("\\", "\\\\").replace('"', '\\"') + '"' for v in value) + "}"  # fmt: skip
    if isinstance(value, bool):
        return "t" if value else "f"
    return value


def copy_field(text):
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")


def row_of(line):
    """The members of {"row":{...}}: each value, and its text as it stands there."""
    at, found = len('{"row":{'), {}
    while line[at] != "}":
        at += line[at] == ","
        name, at = DECODER.raw_decode(line, at)
        value, end = DECODER.raw_decode(line, at + 1)
        found[name] = value, line[at + 1 : end]
        at = end
    return found


def load_json(cluster, database, data):
    """A reader written from docs/json.md."""
    table, texts = None, {}
    for line in data.decode().split("\n")[:-1]:
        if line.startswith('{"table"'):
            table = json.loads(line)["table"]
            texts[json.dumps(table)] = []
        elif line.startswith('{"row"'):
            row = row_of(line)
            fields = []
            for c in table["columns"]:
                value, raw = row.get(c["name"], (None, None))
                if c["as"] == "json":
                    fields.append("\\N" if raw is None else copy_field(raw))
                else:
                    fields.append("\\N" if value is None else copy_field(as_text(value)))
            texts[json.dumps(table)].append("\t".join(fields) + "\n")
    quote = lambda name: '"' + name.replace('"', '""') + '"'
    for key, rows in texts.items():
        table = json.loads(key)
        if not table["columns"] or not rows:
            continue
        names = ", ".join(quote(c["name"]) for c in table["columns"])
        home = table.get("partitionOf", table)  # hash partitions differ from database to database
        target = f"{quote(home['schema'])}.{quote(home['name'])}"
        sql = f"SET session_replication_role = replica; COPY {target} ({names}) FROM stdin;\n" + "".join(rows) + "\\.\n"
        run_sql(cluster, database, sql.encode())


def test_json_comes_back(cluster, exported, database):
    """Every table of the fidelity database, but for those that are loaded by rows without columns."""
    copy = database(template=exported.empty)
    data = export(exported, "--format", "json", "--exclude-table", "app.zero_columns", "--exclude-table", "app.all_dropped",
                  "--exclude-table", "app.only_generated")  # fmt: skip
    load_json(cluster, copy, data)
    assert unlike(cluster, exported.source, copy) <= {"'app.zero_columns'", "'app.all_dropped'", "'app.only_generated'", "'app.triggered'"}


# ---------------------------------------------------------------- encodings

def make_encoded(cluster, encoding, value):
    name = cluster.fresh_name("enc")
    cluster.sql(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
    cluster.tool("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-", database=name,
                 input=b"SET client_encoding = '" + encoding.encode() + b"'; CREATE TABLE t (id int PRIMARY KEY, v text);"
                 b"INSERT INTO t VALUES (1, '" + value + b"');")  # fmt: skip
    return name


@pytest.mark.parametrize("encoding, stored, shown", [
    ("LATIN1", "Grüße ß".encode("latin-1"), "Grüße ß"),
    ("WIN1252", "€ „x“".encode("cp1252"), "€ „x“"),
    ("EUC_JP", "日本語".encode("euc_jp"), "日本語"),
    ("SQL_ASCII", b"caf\xe9 \xff", "caf\u00e9 \u00ff"),
])  # fmt: skip
def test_rows_of_other_encodings_are_utf8(cluster, pgstow, database, encoding, stored, shown):
    source = make_encoded(cluster, encoding, stored)
    database.later(source)
    backup_id = pgstow.backup(source)
    found = lines(export(pgstow, "-F", "json", backup_id=backup_id))
    assert found[2]["row"]["v"] == shown and found[0]["header"]["encoding"] == encoding
    raw = stored if encoding == "SQL_ASCII" else shown.encode()
    assert export(pgstow, "-F", "csv", backup_id=backup_id) == b"id,v\n1," + raw + b"\n"
    cluster.sql("UPDATE t SET v = ''", source)
    run_sql(cluster, source, export(pgstow, "-F", "upsert", backup_id=backup_id))
    assert cluster.sql("SELECT encode(convert_to(v, getdatabaseencoding()), 'hex') FROM t"
                       if encoding != "SQL_ASCII" else "SELECT encode(v::bytea, 'hex') FROM t", source) == stored.hex()  # fmt: skip


# ---------------------------------------------------------------- all of them

FORMATS = ["custom", "plain", "upsert", "json", "csv"]


@pytest.fixture(scope="module")
def large(cluster, module_folder):
    """One table of 64 MB as text, with rows of 1 KB."""
    folder = module_folder / "large"
    folder.mkdir()
    program = Pgstow(cluster, folder)
    program.source = cluster.create("rows_large", sql="""
        CREATE TABLE t (id int PRIMARY KEY, v text);
        INSERT INTO t SELECT g, repeat(md5(g::text), 31) FROM generate_series(1, 64000) g;
    """)  # fmt: skip
    program.backup_id = program.backup(program.source)
    yield program
    cluster.drop(program.source)


@pytest.mark.parametrize("form", [*FORMATS, "directory"])
def test_memory_is_bounded(large, form, folder):
    """A table of 64 MB is exported by a program that never has more than 40 MB of memory in use (but sanitizers
    take many times that)."""
    limit = (40 << 10) * (1 if SLOWER == 1 else 10)
    out = folder / "out" if form == "directory" else "-"
    with large.start("export", large.backup_id, "-F", form, "-o", out) as running:
        os.set_blocking(running.process.stdout.fileno(), False)
        size, peak = 0, 0
        while (chunk := running.process.stdout.read(1 << 20)) != b"":
            size += len(chunk or b"")
            # The system itself keeps the highest value: the last look before the end has all but the end.
            peak = max(peak, memory_of(running.process.pid))
            if not chunk:
                time.sleep(0.002)
        running.wait().expect("OK")
    if form == "directory":
        size = sum(p.stat().st_size for p in out.iterdir())
    assert size > 60 << 20
    assert 8 << 10 < peak < limit, f"{peak} KiB"


def memory_of(pid):
    """The most that a process had in memory so far, in KiB."""
    try:
        with open(f"/proc/{pid}/status") as f:
            return next((int(line.split()[1]) for line in f if line.startswith("VmHWM")), 0)
    except (FileNotFoundError, ProcessLookupError):
        return 0


def small_files():
    """A file system where no file may have more than a megabyte."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))


@pytest.mark.parametrize("form", [*FORMATS, "directory"])
def test_what_fails_leaves_nothing(large, form, folder):
    out = folder / "out"
    large.run("export", large.backup_id, "-F", form, "-o", out, "--quiet", expect="IO", preexec_fn=small_files)
    assert list(folder.iterdir()) == []


def give_way():
    os.nice(10)


@pytest.mark.parametrize("form", [*FORMATS, "directory"])
def test_an_interrupt_leaves_nothing(large, form, folder):
    """Stopped while it writes: a file that is slow to take bytes is none to wait for, so it is stopped by signals."""
    out = folder / "out"
    # It is given way to: where others are at work, too, it must not end before it is looked at.
    with large.start("export", large.backup_id, "-F", form, "-o", out, "--compression", "9", preexec_fn=give_way) as running:
        while not any(p.stat().st_size for p in folder.rglob("*") if p.is_file()):
            assert running.process.poll() is None, "it ended before it was interrupted"
        running.process.send_signal(signal.SIGINT)
        running.wait().expect("CANCELLED")
    assert list(folder.iterdir()) == []


def test_rows_need_recorded_columns(large, folder):
    """The golden repository was written by a version that did not record them."""
    golden = E2E.parent / "golden" / "format-1"
    copy = folder / "golden"
    subprocess.run(["cp", "-r", golden, copy], check=True)
    ids = [b["id"] for b in large.list(repo=copy)]
    rows = large.run("export", ids[-1], "--table", "middle", "-F", "csv", "-o", "-", repo=copy).stdout_bytes
    assert rows.count(b"\n") > 160, "csv needs their names alone"
    for form in ("upsert", "json"):
        large.run("export", ids[-1], "-F", form, "-o", "-", repo=copy, expect="NOT_FOUND").error_says("columns and keys")


def test_json_result(large, folder):
    out = folder / "t.csv"
    doc = large.run("export", large.backup_id, "-o", out, "--json").json
    assert doc["format"] == "csv" and doc["rows"] == 64000 and doc["tables"] == 1 and doc["bytes"] == out.stat().st_size
