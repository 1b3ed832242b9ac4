"""The C library, used by programs of its own: examples/embed.c, examples/inspect.c, library.c."""

import json
import subprocess

from harness import compare
from harness.program import program


def run_embed(pgstow, db, copy):
    embed = program("examples/embed", "PGSTOW_EMBED_BIN")
    command = [str(embed), pgstow.cluster.url(db), str(pgstow.repo), copy]
    return subprocess.run(command, env=pgstow.environment(), cwd=pgstow.folder, capture_output=True, text=True,
                          timeout=120)  # fmt: skip


def test_embed(cluster, pgstow, database):
    source = database(sql="CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, 5000) g")
    copy = cluster.fresh_name("embedded")
    database.later(copy)
    done = run_embed(pgstow, source, copy)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5000 rows of 1 tables" in done.stdout
    assert f"restored into {copy}, then deleted" in done.stdout
    compare.assert_same(cluster, source, copy)
    assert pgstow.ids() == []


def test_errors_reach_the_caller(cluster, pgstow):
    done = run_embed(pgstow, "no_such_database", "copy")
    assert done.returncode == 1
    assert "DB_NOT_FOUND" in done.stderr and "hint: " in done.stderr, done.stderr




def test_inspect(cluster, pgstow, database):
    """examples/inspect.c: validate and diff, as JSON; errors come with their report."""
    db = database(sql="CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int);"
                      "INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1)")  # fmt: skip
    pgstow.backup(db)
    cluster.sql("INSERT INTO c VALUES (2, 77); ALTER TABLE c ADD CONSTRAINT lost FOREIGN KEY (p) REFERENCES p NOT VALID", db)
    inspect = program("examples/inspect", "PGSTOW_INSPECT_BIN")
    done = subprocess.run([str(inspect), cluster.url(db), str(pgstow.repo)], env=pgstow.environment(), cwd=pgstow.folder,
                          capture_output=True, text=True, timeout=120)  # fmt: skip
    assert done.returncode == 1 and "INVALID" in done.stderr, done.stdout + done.stderr
    report, changes = [json.loads(line) for line in done.stdout.splitlines()]
    assert report["isValid"] is False and [e["object"] for e in report["errors"]] == ["lost"]
    assert changes["b"] == "live"
    assert [(t["name"], t["added"]) for t in changes["tables"]] == [("c", 1)]
    cluster.sql("DELETE FROM c WHERE id = 2", db)
    done = subprocess.run([str(inspect), cluster.url(db), str(pgstow.repo)], env=pgstow.environment(), cwd=pgstow.folder,
                          capture_output=True, text=True, timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[0])["isValid"] is True


def use(pgstow, db, key, *calls):
    """What came out of each call, as (kind, text), and how often a key was asked for."""
    command = [str(program("tests/library", "PGSTOW_LIBRARY_BIN")), pgstow.cluster.url(db), str(pgstow.repo), key, *calls]
    done = subprocess.run(command, env=pgstow.environment(), cwd=pgstow.folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr
    *lines, asked = done.stdout.splitlines()
    assert len(lines) == len(calls), done.stdout
    return [tuple(line.split(" ", 1)) for line in lines], asked


def changing(cluster, database):
    return database(sql="CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, 2000) g")


def test_keeping(cluster, pgstow, database):
    db = changing(cluster, database)
    (first, second, *rest), _ = use(pgstow, db, "-", "backup -", "backup -", "pin latest", "delete latest", "list -",
                                    "unpin latest", "unpin latest", "delete latest", "list -", "delete latest:nobody",
                                    "delete latest:nobody ignore_missing", "undelete nothing")  # fmt: skip
    first, second = first[1].split()[0], second[1].split()[0]
    assert [kind for kind, _ in rest] == ["OK", "PINNED", "OK", "OK", "OK", "OK", "OK", "NOT_FOUND", "OK", "NOT_FOUND"]
    assert f"{first} pinned=0" in rest[2][1] and f"{second} pinned=1" in rest[2][1]
    assert (rest[3][1], rest[4][1]) == ("was=1", "was=0")
    assert second not in rest[6][1] and first in rest[6][1]
    done, _ = use(pgstow, db, "-", f"undelete {second}", "cleanup - dry_run last=1", "list -", f"cleanup {db} last=1", "list -",
                  "cleanup - default", "cleanup - prune_only no_trash", "cleanup - zone=Nowhere/Land", f"undelete {first}")  # fmt: skip
    kinds, texts = zip(*done)
    assert kinds == ("OK", "OK", "OK", "OK", "OK", "OK", "OK", "CONFIG", "NOT_FOUND")
    dry, real, again, purged = (json.loads(texts[i]) for i in (1, 3, 5, 6))
    assert dry["dryRun"] and dry["deleted"] == [first] and {b["id"]: b["keep"] for b in dry["backups"]} == {first: False, second: True}
    assert first in texts[2] and second in texts[2]
    assert not real["dryRun"] and real["deleted"] == [first] and real["purged"] == []  # 7 days in the trash
    assert first not in texts[4] and second in texts[4]
    assert again["deleted"] == [] and [(b["id"], b["keep"]) for b in again["backups"]] == [(second, True)]
    assert "30 days" in str(again["backups"]), again
    assert purged["purged"] == [first] and purged["deleted"] == []


def test_encrypted(cluster, pgstow, database, folder):
    """A key file, which the first backup makes; the same repository without a key, and with another one."""
    db, key = changing(cluster, database), folder / "key"
    (plain, made, more, checked), _ = use(pgstow, db, f"file={key}", "backup -", "backup - encrypt", "backup -", "verify - level=1")
    assert plain[0] != "OK" and made[0] == "OK" and made[1].endswith("encrypted=1") and more[0] == "OK"
    assert key.stat().st_mode & 0o777 == 0o600
    assert checked[0] == "OK" and json.loads(checked[1])["whole"] is True
    assert use(pgstow, db, "-", "list -")[0][0][0] == "KEY"
    assert use(pgstow, db, "ask=", "list -") == ([("KEY", use(pgstow, db, "-", "list -")[0][0][1])], "asked 1 new=0")
    (refused,), _ = use(pgstow, db, "ask=endless", "list -")
    assert refused[0] == "KEY" and "longer" in refused[1]
    words, out, gone = key.read_text(), folder / "out", folder / "gone"
    shown, asked = use(pgstow, db, f"ask={words}", "list -", "list -", f"copy {out}", f"copy {out} decrypt", f"copy {gone} nothing")
    assert [kind for kind, _ in shown] == ["OK", "OK", "CONFIRM", "OK", "USAGE"] and asked == "asked 1 new=0"
    assert len(json.loads(shown[3][1])["copied"]) == 2 and not gone.exists()
    target = cluster.fresh_name("copied")
    database.later(target)
    latest = json.loads(pgstow.run("list", "--json", repo=out).stdout)["backups"][-1]["id"]
    pgstow.run("restore", latest, "--to-db", target, db=db, repo=out)
    compare.assert_same(cluster, db, target)


def test_passphrases(cluster, pgstow, database, folder):
    """Bytes that the caller wipes; a callback; a plain repository copied into an encrypted one."""
    db, sealed = changing(cluster, database), folder / "sealed"
    made, asked = use(pgstow, db, "ask=correct horse battery staple", "backup - encrypt")
    assert made[0][0] == "OK" and asked == "asked 1 new=1"
    shown, asked = use(pgstow, db, "bytes=correct horse battery staple", "list -", "list -", f"copy {sealed} encrypt key={folder}/new",
                       f"copy {sealed} key={folder}/new")  # fmt: skip
    assert [kind for kind, _ in shown] == ["OK"] * 4 and asked == "asked 0 new=0", shown
    assert [len(json.loads(text)["there"]) for _, text in shown[2:]] == [0, 1]
    assert "correct horse" not in str(shown)
    assert use(pgstow, db, "bytes=a wrong passphrase", "list -")[0][0][0] == "KEY"


def test_keys(cluster, pgstow, database, folder):
    """Every way to change who can open a repository; what came out opens it, what was removed does not."""
    db = changing(cluster, database)
    first, second, web, paper = (folder / name for name in ("first", "second", "web", "paper"))
    made, _ = use(pgstow, db, f"file={first}", "backup - encrypt", f"key_add second file={second}",
                  f"key_add second file={folder}/third", f"key_add web file={web} database={db}", "key_add - bytes=correct-horse-battery",
                  f"key_export paper to={paper}", "key_export unkept", "key_list -")  # fmt: skip
    kinds, texts = zip(*made)
    assert kinds == ("OK", "OK", "EXISTS", "OK", "OK", "OK", "CANCELLED", "OK"), made
    assert not (folder / "third").exists() and second.stat().st_mode & 0o777 == 0o600
    listed = json.loads(texts[7])
    assert listed == json.loads(pgstow.run("key", "list", "--json", env={"PGSTOW_KEY_FILE": str(first)}).stdout)
    assert {key["name"]: key["kind"] for key in listed["keys"]} == {"key-file": "key-file", "second": "key-file", "web": "write-only",
                                                                    "passphrase": "passphrase", "paper": "recovery"}  # fmt: skip
    added = [json.loads(texts[i]) for i in (1, 3, 4, 5)]
    assert [key["id"] for key in added] == [key["id"] for key in listed["keys"] if not key["inUse"]]
    secrets = [path.read_text().splitlines()[-1] for path in (first, second, web, paper)] + ["correct-horse"]
    assert not any(secret in str(made) for secret in secrets)
    assert str(pgstow.repo) in paper.read_text() and added[3]["id"] in paper.read_text()
    for key in (f"file={second}", f"file={paper}", "bytes=correct-horse-battery"):
        assert use(pgstow, db, key, "verify - level=1")[0][0][0] == "OK"
    done, _ = use(pgstow, db, f"file={web}", "key_list -", "key_add more file=more", "key_rotate -", "verify - level=1")
    assert [kind for kind, _ in done] == ["OK", "KEY", "KEY", "KEY"], done
    done, _ = use(pgstow, db, f"file={second}", "key_remove paper", "key_remove paper", "key_rotate -", "backup -")
    assert [kind for kind, _ in done] == ["OK", "NOT_FOUND", "OK", "OK"], done
    assert json.loads(done[0][1])["id"] == added[3]["id"]
    assert json.loads(done[2][1])["epoch"] == listed["epoch"] + 1 and "paper" not in done[2][1]
    assert use(pgstow, db, f"file={paper}", "list -")[0][0][0] == "KEY"
    assert use(pgstow, db, f"file={first}", "verify - level=1")[0][0][0] == "OK"
    wrong, _ = use(pgstow, db, f"file={first}", "key_add x", f"key_add x file={folder}/x bytes=both", "key_add x bytes=b database=d",
                   f"key_add x file={folder}/x nothing", "key_remove web", "key_remove passphrase", "key_remove second",
                   "key_remove key-file")  # fmt: skip
    assert [kind for kind, _ in wrong] == ["USAGE"] * 4 + ["OK"] * 3 + ["CONFLICT"], wrong
    assert not (folder / "x").exists()


def test_older_state(cluster, pgstow, database):
    """accept_older; and the options of a caller that knows fewer of them."""
    db = changing(cluster, database)
    pgstow.env["XDG_STATE_HOME"] = str(pgstow.home / "one host")
    use(pgstow, db, "-", "backup -")
    before = pgstow.folder / "before"
    subprocess.run(["cp", "-a", str(pgstow.repo), str(before)], check=True)
    use(pgstow, db, "-", "backup -")
    subprocess.run(["rm", "-r", str(pgstow.repo)], check=True)
    before.rename(pgstow.repo)
    (refused, cut, done), _ = use(pgstow, db, "-", "backup -", "backup - accept_older old_caller", "backup - accept_older")
    assert (refused[0], cut[0], done[0]) == ("CONFIRM", "CONFIRM", "OK"), (refused, cut, done)


def test_drill(cluster, pgstow, database, folder):
    db = changing(cluster, database)
    (folder / "good.sql").write_text("SELECT count(*) = 2000 FROM t;")
    (folder / "bad.sql").write_text("SELECT count(*) = 1 FROM t;")
    before = cluster.databases()
    done, _ = use(pgstow, db, "-", "backup -", f"verify - level=3 assert={folder}/good.sql", "list -", f"verify latest level=3 assert={folder}/bad.sql",
                  "verify - level=1 sample=5%", "verify - level=3 sample=5%", "verify - level=4", "verify - level=1 assert=x")  # fmt: skip
    kinds, texts = zip(*done)
    assert kinds == ("OK", "OK", "OK", "ASSERTION", "OK", "USAGE", "USAGE", "USAGE"), done
    good, bad = (json.loads(texts[i])["drills"][0] for i in (1, 3))
    assert (good["result"], bad["result"]) == ("good", "bad") and "proven=1" in texts[2]
    assert json.loads(texts[4])["level"] == "data"
    assert cluster.databases() == before
