"""sync --method http: rows as JSON, for a source without pg_dump; and a client of its own, written by docs/sync.md."""

import gzip
import hashlib
import json
import re

import pytest
from harness.cluster import A_MINUTE, wait_until
from harness.proxy import CUT, PASS, RESET, TO
from harness.sites import ENTRY, REGISTRATION, Sites

NO_PG_DUMP = {"FORCE_PG_DUMP_MISSING": "1"}
HTTP = "--method", "http"
TABLES = r"""
CREATE SCHEMA "Odd ""one";
CREATE TABLE "Odd ""one"."t,()\" (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "c "" d" text,
    n numeric, twice int GENERATED ALWAYS AS (length("c "" d") * 2) STORED);
CREATE TYPE mood AS ENUM ('good', 'b"a\d');
CREATE TABLE types (id int PRIMARY KEY, b bytea, j jsonb, js json, ts timestamptz, t timestamp, d date, i interval, f float8,
    r real, a text[], aa int[], u uuid, m mood, h inet, rg int4range, bits bit(3), big numeric, c char(4), x xml);
CREATE TABLE parts (k int, v text, PRIMARY KEY (k)) PARTITION BY RANGE (k);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (50);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (50) TO (100);
CREATE TABLE child (id int PRIMARY KEY, of int REFERENCES types);
CREATE TABLE nothing (id int PRIMARY KEY, t text);
CREATE TABLE no_columns ();
CREATE TABLE keyless (a int, b text);
CREATE SEQUENCE free START 10;
"""
ROWS = r"""
INSERT INTO "Odd ""one"."t,()\" ("c "" d", n) VALUES (E'tab\tx\n\\', 'NaN'), (NULL, 1.50), ('', 0), ('\N', 'Infinity'),
    (E'\\.\r\x01\x7f\x0b', -1), ('é€😀', 1e-30);
INSERT INTO types VALUES
    (1, '\x00ff5c4e', '{"a": [1, null, "\\x\"é"], "n": 1.00}', '{"a":1,  "a":2}', '2024-01-15 10:30:00.123456+02', 'infinity',
     '0044-03-15 BC', '1 mon -3 days 04:05:06.789', 'NaN', '-Infinity', ARRAY['a,b', NULL, '', '"{}\'], '[0:2]={1,2,3}',
     'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'b"a\d', '::1/128', '[1,5)', '101', 12345678901234567890.12345678901234567890,
     'x', '<a>&lt;</a>'),
    (2, '', 'null', 'null', NULL, NULL, NULL, NULL, 0.1, 1e-45, '{}', NULL, NULL, 'good', NULL, 'empty', NULL, NULL, NULL, NULL);
INSERT INTO parts SELECT i, repeat('v', i % 7) FROM generate_series(0, 99) i;
INSERT INTO child SELECT i, 1 + i % 2 FROM generate_series(1, 3000) i;
INSERT INTO no_columns SELECT FROM generate_series(1, 3);
INSERT INTO keyless VALUES (1, 'x'), (1, 'x'), (NULL, NULL);
SELECT nextval('free'), nextval('free');
"""
# Larger than any batch; the first of characters that need more room in JSON, the others cut at no byte of a character.
LARGE = """
CREATE TABLE large (id int PRIMARY KEY, t text, n int, b bytea);
"""
LARGE_ROWS = """
INSERT INTO large VALUES (1, repeat(E'\\x01\\\\"', 400000), 1, NULL), (2, repeat('a€😀', 400000), NULL, decode(repeat('5c', 600000), 'hex')),
    (3, '', 3, '');
"""
FREE = "SELECT nextval('free')"


@pytest.fixture(scope="module")
def pair(cluster, other_cluster, module_folder):
    made = Sites((cluster, other_cluster), module_folder, "", signed=False, faults=True)
    yield made
    made.close()


@pytest.fixture
def two(pair):
    """Two sites, for databases of this SQL; encoding: of b's."""

    def make(of_a, of_b=None, encoding=None):
        pair.net.heal()
        for site, sql, wanted in ((pair.a, of_a, None), (pair.b, of_a if of_b is None else of_b, encoding)):
            site.cluster.drop(site.database)
            if wanted:
                site.cluster.sql(f"CREATE DATABASE {site.database} TEMPLATE template0 ENCODING {wanted} LC_COLLATE 'C' LC_CTYPE 'C'")
                site.sql(sql)
            else:
                site.cluster.create(site.database, sql=sql)
        return pair

    return make


def made(site):
    """Of its own database: the backups in its repository."""
    return sorted(path.name for path in (site.folder / "repo/backups").glob("*.manifest"))


# -- both ways ----------------------------------------------------------------------------------------------------------


def test_pull(two):
    """Every type as it was, partitions, generated and identity columns, tables without rows, columns or key."""
    s = two(TABLES, TABLES + ROWS)
    done = s.pull(*HTTP, "--keyless", "replace")
    s.assert_same()
    assert done.doc["method"] == "http" and not made(s.b) and s.statuses(done.id) == ("COMPLETED", "COMPLETED")
    # The sequences go on behind what came over, and nothing is left of what was received.
    assert int(s.a.sql(FREE)) == 12
    s.a.sql('INSERT INTO "Odd ""one"."t,()\\" ("c "" d") VALUES (\'next\'); DELETE FROM "Odd ""one"."t,()\\" WHERE n IS NULL AND id > 6')
    assert not list((s.a.folder / "state/rows").glob("*"))
    # It is a backup of rows alone, whole and listed, that others restore from.
    kept = [b for b in s.a.run("list", "--json").json["backups"] if b["filter"] == "rows-only"]
    assert len(kept) == 1 and kept[0]["tags"] == {"sync": done.id}
    s.a.run("verify", kept[0]["id"], "--level", "rebuild")
    # Again: nothing to write; what was changed and added is put right, or deleted.
    again = s.pull(*HTTP, "--keyless", "replace")
    assert set(again.counts()) <= {"unchanged"}
    s.b.sql("UPDATE types SET f = '-0' WHERE id = 2; DELETE FROM child WHERE id < 10; DELETE FROM keyless WHERE a = 1")
    s.a.sql("INSERT INTO nothing VALUES (1, 'only here')")
    changed = s.pull(*HTTP, "--merge", "mirror", "--keyless", "replace").counts()
    assert (changed["updated"], changed["deleted"]) == (1, 12)
    s.assert_same()


def test_push_without_pg_dump(two):
    s = two(TABLES + LARGE + ROWS + LARGE_ROWS, TABLES + LARGE)
    before = made(s.a)
    done = s.push("--keyless", "replace", env=NO_PG_DUMP)
    s.assert_same()
    assert done.doc["method"] == "http" and made(s.a) == before and done.doc["sentBytes"] < done.doc["bytes"] / 10
    assert s.statuses(done.id) == ("COMPLETED", "COMPLETED")
    assert int(s.b.sql(FREE)) == 12 and not list((s.b.folder / "state/rows").glob("*"))


def test_pull_where_the_peer_has_no_pg_dump(two):
    """Found out on the way; large rows."""
    s = two(TABLES + LARGE, TABLES + LARGE + ROWS + LARGE_ROWS)
    s.b.stop()
    s.b.start(NO_PG_DUMP)
    try:
        done = s.pull("--keyless", "replace")
        s.assert_same()
        assert done.doc["method"] == "http" and done.doc["receivedBytes"] < done.doc["bytes"] / 10
        # Asked for as a backup it is an error that says how to get one.
        s.run("pull", "--method", "backup", "--keyless", "replace", expect="TOOL_MISSING").error_says("install")
    finally:
        s.b.stop()
        s.b.start()


def test_filters(two):
    sql = TABLES + "CREATE TABLE other (id int PRIMARY KEY, t text);"
    s = two(sql, sql + ROWS + "INSERT INTO other SELECT i, 'secret ' || i FROM generate_series(1, 20) i")
    s.pull(*HTTP, "--where", "other: id > 15", "--mask", "other.t: 'm' || id", "--exclude-table", "keyless",
           "--exclude-table", "no_columns", "--where", "child: id = 7", "--yes")  # fmt: skip
    assert s.a.sql("SELECT string_agg(t, ',' ORDER BY id) FROM other") == "m16,m17,m18,m19,m20"
    assert s.a.sql("SELECT count(*) FROM child") == "1" and s.a.sql("SELECT count(*) FROM keyless") == "0"


def test_an_error_of_the_source(two):
    """It is told with the peer's words, and the target has nothing of it."""
    sql = "CREATE TABLE early (id int PRIMARY KEY); CREATE TABLE late (id int PRIMARY KEY, t text);"
    s = two(sql, sql + "INSERT INTO early SELECT generate_series(1, 9); INSERT INTO late SELECT i, i FROM generate_series(1, 20) i")
    before = s.a.hashes()
    failed = s.run("pull", *HTTP, "--mask", "late.t: (1 / (id - 15))::text", "--yes", expect=None)
    assert failed.status != 0 and s.a.hashes() == before
    failed.error_says("division by zero")


@pytest.mark.parametrize("encoding", ["LATIN1", pytest.param("SQL_ASCII", marks=pytest.mark.slow)])
def test_encodings(two, encoding):
    """What is no UTF-8 there comes as text, or as the very bytes."""
    tables = "CREATE TABLE t (id int PRIMARY KEY, v text)"
    s = two(tables, "", encoding=encoding)
    s.b.sql(f"{tables}; SET client_encoding = 'UTF8'; INSERT INTO t VALUES (1, 'caf\u00e9 \u00df'), (2, E'a\\tb\\\\'), (3, NULL)")
    s.pull(*HTTP)
    assert s.a.sql("SELECT string_agg(coalesce(v, '-'), '|' ORDER BY id) FROM t") == "caf\u00e9 \u00df|a\tb\\|-"
    if encoding == "SQL_ASCII":
        s.b.sql(r"INSERT INTO t VALUES (4, convert_from('\xe9', 'SQL_ASCII'))")
        # Nothing of it goes in, and the server says why.
        s.run("pull", *HTTP, expect="DB").error_says("invalid byte sequence")
        assert s.a.sql("SELECT count(*) FROM t") == "3"


# -- what befalls it ----------------------------------------------------------------------------------------------------

MANY = "CREATE TABLE many (id int PRIMARY KEY, t text);"
MANY_ROWS = "INSERT INTO many SELECT i, repeat(md5(i::text), 40) FROM generate_series(1, 2500) i;"


@pytest.mark.slow
def test_a_cut_in_the_middle(two):
    """A push goes on with the batch that was not acknowledged; a pull begins anew."""
    s = two(MANY + MANY_ROWS, MANY)
    s.net.fail(RESET, 1_500_000, later=PASS, of=TO)
    s.push(*HTTP, "--no-compress")
    assert s.net.failed.is_set()
    s.assert_same()
    s.a.sql("DELETE FROM many WHERE id > 5")
    s.net.heal()
    s.net.fail(CUT, 1_500_000, later=PASS)
    s.pull(*HTTP, "--no-compress")
    assert s.net.failed.is_set()
    s.assert_same()


def test_killed_in_the_middle(two):
    """Nothing of it is in the target; the next one succeeds, and drops what there was."""
    s = two(MANY + MANY_ROWS, MANY)
    s.run("push", *HTTP, env={"PGSTOW_FAULT": "sync.rows.sent:kill:3"}, expect=None)
    assert s.b.sql("SELECT count(*) FROM many") == "0"
    left = s.a.sessions()[-1]["id"]
    assert len(list((s.b.folder / "state/rows").glob("*"))) == 1
    s.a.run("sync", "resume", left, "--entry", ENTRY)
    s.assert_same()


@pytest.mark.parametrize("direction,point", [("push", "sync.rows.sent"), ("pull", "sync.rows.written")])
def test_the_peer_is_killed_and_comes_back(two, direction, point):
    """What it has acknowledged it still has."""
    s = two(MANY + MANY_ROWS, MANY) if direction == "push" else two(MANY, MANY + MANY_ROWS)
    with s.start(direction, *HTTP, env={"PGSTOW_FAULT": f"{point}:stop:3"}) as running:
        assert running.wait_stopped()
        s.b.kill()
        s.b.start()
        running.resume()
        running.wait().expect("OK")
    s.assert_same()


def test_a_disk_that_fails(two):
    s = two(MANY, MANY + MANY_ROWS)
    s.run("pull", *HTTP, env={"PGSTOW_FAULT": "sync.rows.written:error:3"}, expect="IO")
    assert s.a.sql("SELECT count(*) FROM many") == "0"
    s.pull(*HTTP)
    s.assert_same()


def test_a_target_without_tables(two):
    """There is nothing to make them of."""
    s = two("", MANY + MANY_ROWS)
    s.run("pull", *HTTP, expect="PREFLIGHT")
    assert s.a.sql("SELECT to_regclass('many')") == ""


# -- another client -----------------------------------------------------------------------------------------------------


class Client:
    """The whole of a client that pushes rows: what docs/sync.md says, in an afternoon."""

    def __init__(self, site, session, table=("public", "t", ["id", "v"])):
        self.site, self.session, self.attempt, self.seq = site, session, 1, 0
        self.table = dict(zip(("schema", "name", "columns"), table))
        status, answer = self.post("session", {"sessionId": session, "options": {"direction": "push", "method": "http", "safetyBackup": False}})
        assert status == 200, answer

    def call(self, method, path, body=None, **headers):
        status, _, answer = self.site.call(method, f"/api/sync/{path}", None, body, {
            "X-Node-ID": "client", "X-Registration-Hash": hashlib.sha256(REGISTRATION.encode()).hexdigest(),
            "Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}})  # fmt: skip
        assert answer["success"] is (status < 300)
        return status, answer

    def post(self, path, doc):
        return self.call("POST", path, json.dumps(doc))

    def batch(self, seq=None, **members):
        seq = seq or self.seq + 1
        status, answer = self.post("receive", {"sessionId": self.session, "attempt": self.attempt, "seq": seq, **members})
        if status == 200:
            assert answer["seq"] == seq
            self.seq = max(seq, self.seq)
        return status, answer

    def rows(self, *rows, seq=None, **members):
        return self.batch(seq, table=self.table, rows=rows, **members)

    def sum(self, *rows, **wrong):
        text = "".join("\t".join("\\N" if v is None else re.sub(r"[\\\t\n\r]", lambda m: "\\" + {"\t": "t", "\n": "n", "\r": "r"}
                                 .get(m[0], m[0]), v) for v in row) + "\n" for row in rows)  # fmt: skip
        return {**self.table, "rows": len(rows), "sha256": hashlib.sha256(text.encode()).hexdigest(), **wrong}

    def last(self, *tables, **members):
        return self.batch(tables=tables, last=True, **members)

    def apply(self):
        """How the session ends."""
        status, answer = self.post("restore-backup", {"sessionId": self.session})
        assert status in (200, 202), answer
        wait_until(lambda: self.status() in ("COMPLETED", "FAILED"), "it never ends", A_MINUTE)
        return self.status()

    def status(self):
        return self.site.session(self.session)["status"]


T = "CREATE TABLE t (id int PRIMARY KEY, v text, more int DEFAULT 7); CREATE SEQUENCE q;"


def test_another_client(two):
    s = two(T)
    c = Client(s.b, "hand")
    one, two_, three = ("1", "a\tb\\\né€"), ("2", None), ("3", "")
    assert c.rows(one, two_)[0] == 200
    assert c.rows(one, two_, seq=1)[0] == 200  # its answer was lost
    assert c.rows(one, ("2", "other"), seq=1)[0] == 400  # with other contents
    assert c.rows(three, seq=3)[0] == 400  # a gap
    s.b.age(40_000)  # twice is more than a session lives: each batch is a sign of life
    status, answer = c.rows(three)
    assert (status, answer["rows"], answer["complete"]) == (200, 3, False)
    s.b.age(40_000)
    # Not all is here: nothing is done with it.
    for wrong in (c.sum(one, two_), c.sum(one, two_, ("3", "x")), c.sum(one, two_, three, name="u")):
        assert c.last(wrong)[1]["error"]["kind"] == "MISMATCH"
    assert c.last()[1]["error"]["kind"] == "MISMATCH"
    status, answer = c.last(c.sum(one, two_, three), sequences=[{"schema": "public", "name": "q", "value": 41, "called": True}])
    assert (status, answer["complete"]) == (200, True)
    assert c.apply() == "COMPLETED"
    assert s.b.sql("SELECT string_agg(id || coalesce(v, '-') || more, ';' ORDER BY id) FROM t") == "1a\tb\\\né€7;2-7;37"
    assert s.b.sql("SELECT nextval('q')") == "42"
    # The session has ended: what comes now is refused.
    assert c.rows(one, seq=9)[1]["error"]["kind"] == "FENCED"


def test_nothing_comes_once_it_is_applied(two):
    """While the target is written into, nobody puts anything into its repository in the name of that sync."""
    s = two(T)
    c = Client(s.b, "closed")
    assert c.rows(("1", "x"))[0] == 200 and c.last(c.sum(("1", "x")))[0] == 200
    with s.b.cluster.session(s.b.database) as other:
        other.run("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        assert c.post("restore-backup", {"sessionId": "closed"})[0] == 202
        wait_until(lambda: c.status() == "RESTORING", "it is not applied", A_MINUTE)
        body = "a manifest"
        sum_ = hashlib.sha256(body.encode()).hexdigest()
        status, answer = c.call("POST", f"receive-backup?sessionId=closed&name=backups/late.manifest&sha256={sum_}&whole={sum_}", body)
        assert (status, answer["error"]["kind"]) == (403, "REPO_PERMISSION"), answer
        assert c.rows(("2", "late"))[0] in (400, 409)
    wait_until(lambda: c.status() == "COMPLETED", "it does not end", A_MINUTE)
    assert s.b.sql("SELECT id || v FROM t") == "1x"


def test_nothing_is_merged_of_half(two):
    s = two(T)
    c = Client(s.b, "half")
    assert c.rows(("1", "x"))[0] == 200
    assert c.apply() == "FAILED" and "not all rows" in s.b.session("half")["error_message"]
    assert s.b.sql("SELECT count(*) FROM t") == "0"


def test_two_attempts_are_not_mixed(two):
    s = two(T)
    c = Client(s.b, "attempts")
    assert c.rows(("1", "old"))[0] == 200
    status, answer = c.call("GET", "receive?sessionId=attempts")
    assert (status, answer["attempt"], answer["seq"], answer["rows"]) == (200, 1, 1, 1)
    c.attempt = 2
    assert c.rows(("2", "new"), seq=2)[0] == 400  # one that began elsewhere
    c.seq = 0
    assert c.rows(("2", "new"))[0] == 200
    c.attempt = 1
    assert c.rows(("3", "late"))[1]["error"]["kind"] == "FENCED"
    c.attempt, c.seq = 2, 1
    assert c.last(c.sum(("2", "new")))[0] == 200 and c.apply() == "COMPLETED"
    assert s.b.sql("SELECT id || v FROM t") == "2new"


def test_wrong_tables_and_values(two):
    """What does not fit is found before anything is written, or takes all of it back."""
    s = two(T)
    for name, table, row, expected in (
        ("no-table", ("public", "gone", ["id"]), ("1",), "is not there"),
        ("no-column", ("public", "t", ["id", "gone"]), ("1", "x"), "gone"),
        ("catalog", ("pg_catalog", "pg_authid", ["oid"]), ("1",), "is not there"),
        ("no-number", ("public", "t", ["id", "v"]), ("one", "x"), "invalid input syntax"),
        ("sql", ('public"; DROP TABLE t; --', "t", ["id"]), ("1",), "is not there"),
    ):
        c = Client(s.b, name, table)
        assert c.rows(row)[0] == 200 and c.last(c.sum(row))[0] == 200
        assert c.apply() == "FAILED", name
        assert expected in s.b.session(name)["error_message"], s.b.session(name)["error_message"]
    assert s.b.sql("SELECT count(*) FROM t") == "0"


def test_hostile_bodies(two):
    s = two(T)
    c = Client(s.b, "hostile")
    head = '{"sessionId":"hostile","seq":1,'
    table = '"table":{"schema":"public","name":"t","columns":["id","v"]},'
    for body in ("", "x", "[]", "{}", head + '"x":1}', head + table + '"rows":[["1"]]}', head + table + '"rows":[[1,"2"]]}',
                 head + table + '"rows":[["\\u0000","2"]]}', head + table + '"rows":[["1","2"],["1"', head + table + '"rows":' + "[" * 100000,
                 head + table + '"rows":[["1","\\ud800"]]}', '{"sessionId":"\'; DROP TABLE t","seq":1}'):  # fmt: skip
        assert c.call("POST", "receive", body)[0] in (400, 404), body
    # One that is too large is refused by its head, before it is taken.
    try:
        assert c.call("POST", "receive", head + '"last":' + " " * (8 << 20) + "true}")[0] == 413
    except (BrokenPipeError, ConnectionResetError):
        pass
    # Compressed: what becomes too large, is cut, or something else.
    packed = {"Content_Encoding": "gzip"}
    assert c.call("POST", "receive", gzip.compress(b" " * (9 << 20)), **packed)[0] == 413
    assert c.call("POST", "receive", gzip.compress(head.encode() + b'"last":false}')[:-9], **packed)[0] == 400
    assert c.call("POST", "receive", head + '"last":false}', **packed)[0] == 400
    assert c.call("POST", "receive", head + '"last":false}', Content_Encoding="br")[0] == 400
    assert c.call("GET", "receive?sessionId=hostile")[1]["seq"] == 0
    assert c.call("POST", "receive", gzip.compress(head.encode() + b'"last":false}'), **packed)[0] == 200
    assert c.call("POST", "receive", head + '"last":false}')[0] == 200  # the same again
    # Not its session, or none at all; one that gives rows takes none.
    assert c.post("receive", {"sessionId": "nobody", "seq": 1})[0] == 404
    assert c.call("GET", "rows?sessionId=hostile")[0] == 412
