"""A server that speaks German: its messages have other words, and what they mean is still told apart."""

import pytest

from harness.cluster import Cluster, wait_until
from harness.program import Pgstow, program

WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"
TABLES = """
CREATE TABLE "an item" AS SELECT g AS id, 'item ' || g AS t FROM generate_series(1, 100) g;
CREATE TABLE other AS SELECT 1 AS a;
CREATE SEQUENCE counter;
"""


class German(Cluster):
    """LANGUAGE takes the server's messages out of its package; no locale of the system is needed."""

    def _install(self):
        super()._install()
        share = self.folder / "pg" / "share"
        assert (self.folder / "pg/lib/postgresql").exists() and share.exists(), "servers are laid out in another way"
        (share / "locale").symlink_to("/usr/share/locale")


@pytest.fixture(scope="module")
def german():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANGUAGE", "de")
        server = German({"lc_messages": "'C.UTF-8'"})
    with pytest.raises(AssertionError, match="FEHLER: *Relation »nowhere« existiert nicht"):
        server.sql("SELECT FROM nowhere")
    yield server
    server.destroy()


@pytest.fixture
def there(german, folder):
    return Pgstow(german, folder, binary=program("pgstow-faults", "PGSTOW_FAULTS_BIN"))


@pytest.fixture
def guarded(german):
    """A database and a user who may read some of it: grant(what) and url."""
    name = german.create(sql=TABLES)
    german.sql("DO $$ BEGIN CREATE ROLE poor LOGIN; EXCEPTION WHEN duplicate_object THEN END $$")
    yield name
    german.drop(name)


@pytest.mark.parametrize("granted, missing", [
    ("other", "an item"),
    ('other, "an item"', "counter"),
])  # fmt: skip
def test_a_missing_privilege(german, there, guarded, granted, missing):
    german.sql(f"GRANT SELECT ON {granted} TO poor", guarded)
    result = there.run("backup", db=german.url(guarded, "poor"), expect="DB_PERMISSION")
    result.error_says(missing, "hint:.*doctor.*GRANT")
    assert not there.repo.exists() or there.manifests() == []


def test_row_security(german, there, guarded):
    german.sql("""GRANT SELECT ON ALL TABLES IN SCHEMA public TO poor; GRANT SELECT ON counter TO poor;
                  ALTER TABLE "an item" ENABLE ROW LEVEL SECURITY""", guarded)  # fmt: skip
    result = there.run("backup", db=german.url(guarded, "poor"), expect="DB_PERMISSION")
    result.error_says("an item")


def test_a_waiter_before_pg_dump(german, there, guarded):
    """pg_dump meets who waits for our own locks: the backup begins anew, as it does in English."""
    with there.start("backup", "--lock-wait", "1s", "--verbose", db=guarded,
                     env={"PGSTOW_FAULT": "backup.start.snapshot:stop"}) as run, german.session(guarded) as other:  # fmt: skip
        assert run.wait_stopped()
        mark = other.send('ALTER TABLE "an item" ADD COLUMN late int')
        wait_until(lambda: german.sql(WAITING) == "1", "nobody waits for the lock")
        run.resume()
        result = run.wait(60).expect("OK")
        other.wait(mark)
    assert "starting over" in result.stderr, str(result)
    assert there.metadata(result.id)["rows"] == 101


def test_codes_are_the_same(german, there, guarded):
    """What our own connections are refused for has a code."""
    there.run("backup", db=german.url("nowhere"), expect="DB_NOT_FOUND")
    german.sql(f"ALTER DATABASE {guarded} ALLOW_CONNECTIONS false")
    there.run("backup", db=guarded, expect="DB").error_says("hint:.*ALLOW_CONNECTIONS")
