"""copy: a second repository, with keys of its own or none, from which everything can be restored."""

import json
import shutil
import signal

import pytest

from harness import compare
from harness.program import Pgstow, program

WORDS = "correct horse battery staple"
OTHER = "another long passphrase altogether"
CHEAP = {"PGSTOW_CHEAP_PASSPHRASES": "1"}  # heard by the tests' twin only
CHANGE = (
    "UPDATE item SET price = price + 1 WHERE id % 50 = 0; "
    "CREATE TABLE later_{0} AS SELECT 'Kiwi_of_' || i AS t FROM generate_series(1, 2000) i"
)


def twin(cluster, folder, repo, **env):
    here = Pgstow(cluster, folder, binary=program("pgstow-faults", "PGSTOW_FAULTS_BIN"), env={**CHEAP, **env})
    here.repo = repo
    return here


@pytest.fixture(scope="module")
def source(cluster, shop_template, module_folder):
    """Three backups of a shop that changed in between, and one of another database. Not to be changed."""
    here = twin(cluster, module_folder, module_folder / "repo")
    here.shop = cluster.create("copy_shop", template=shop_template)
    other = cluster.create("copy_other", sql="CREATE TABLE a AS SELECT 'Tui_of_' || i AS t FROM generate_series(1, 3000) i")
    here.made = []
    for i in range(3):
        if i:
            cluster.sql(CHANGE.format(i), here.shop)
        here.made.append(here.backup(here.shop))
    here.other = here.backup(other)
    here.now = compare.snapshot(cluster, here.shop)
    yield here
    cluster.drop(here.shop)
    cluster.drop(other)


@pytest.fixture
def target(cluster, folder):
    return twin(cluster, folder, folder / "copy")


@pytest.fixture
def mine(cluster, source, folder):
    """A source of the test's own."""
    here = twin(cluster, folder, folder / "repo")
    shutil.copytree(source.repo, here.repo)
    return here


def packs(here):
    return {name: size for name, size in here.files().items() if name.startswith("packs/")}


def copy(source, target, *args, **kwargs):
    return source.run("copy", *(args or ["--all"]), "--to", target.repo, **kwargs)


def new_bytes(here, backup_id):
    return here.metadata(backup_id)["newBytes"]


def assert_whole(target):
    target.run("verify", "--level", "rebuild")


def holds(here, text):
    return any(text in path.read_bytes() for path in here.repo.rglob("*") if path.is_file())


# ---------------------------------------------------------------- there, again, and back


def test_a_second_repository(source, mine, target, cluster, database):
    first = copy(mine, target, "latest:copy_other", source.made[0], "--json").json
    assert sorted(b["id"] for b in first["copied"]) == sorted([source.made[0], source.other])
    assert first["there"] == first["failed"] == []
    config = json.loads((mine.repo / "config").read_text().splitlines()[0])
    for b in first["copied"]:
        assert b["copiedFrom"] == {
            "repository": config["id"], "id": b["id"], "checksum": mine.metadata(b["id"])["checksum"]
        }  # fmt: skip

    # The later ones add what they added to the source, and are the same in all that makes a backup.
    copy(mine, target).says(f"{source.made[0]} is there already", *source.made[1:])
    assert sorted(target.ids()) == sorted(mine.ids())
    for backup_id in source.made[1:]:
        assert new_bytes(target, backup_id) < new_bytes(mine, backup_id) + 20000
    for here, there in zip(mine.list(), target.list()):
        for fact in ("id", "key", "timestamp", "logicalSize", "rows", "tables", "duration", "server", "toolVersion"):
            assert here[fact] == there[fact], fact
    assert [b["sequence"] for b in target.list() if b["id"] in source.made] == [1, 2, 3]
    assert_whole(target)

    # Again: nothing changes. No pack has a name that it had in the source.
    before = packs(target)
    again = copy(mine, target, "--json", "--all").json
    assert sorted(again["there"]) == sorted(mine.ids()) and not again["copied"]
    assert packs(target) == before
    assert not set(before) & set(packs(mine))

    shutil.rmtree(mine.repo)
    restored = database()
    target.restore(source.made[2], restored)
    compare.assert_same(cluster, source.shop, restored)
    # And the next backup goes there, on top of the copies.
    following = target.backup(source.shop)
    assert target.metadata(following)["parent"] == source.made[2]
    assert new_bytes(target, following) < new_bytes(target, source.made[2]) + 20000


# ---------------------------------------------------------------- keys


def test_encryption_is_turned_on(source, target, cluster, folder, database):
    to = {"PGSTOW_TO_PASSPHRASE": WORDS}
    # A key that would not be used is a mistake.
    copy(source, target, env=to, expect="CONFIG")
    copy(source, target, "--all", "--encrypt", env=to)
    sealed = twin(cluster, folder, target.repo, PGSTOW_PASSPHRASE=WORDS)
    sealed.run("list", env={"PGSTOW_PASSPHRASE": OTHER}, expect="KEY")
    assert sorted(sealed.ids()) == sorted(source.ids())
    assert_whole(sealed)
    restored = database()
    sealed.restore(source.made[2], restored)
    compare.assert_same(cluster, source.shop, restored)
    before = packs(sealed)
    copy(source, target, env=to)
    assert packs(sealed) == before
    # One that is plain is not what --encrypt asks for.
    source.run("copy", "--all", "--encrypt", "--to", source.repo, env=to, expect="CONFIG")


def test_what_is_sealed_is_written_in_clear_only_when_told(source, target, cluster, folder):
    sealed = twin(cluster, folder, folder / "sealed", PGSTOW_PASSPHRASE=WORDS)
    source.run("copy", source.other, "--to", sealed.repo, "--encrypt", env={"PGSTOW_TO_PASSPHRASE": WORDS})
    # No compression, so that text would be seen.
    text = b"Tui_of_1234"
    flat = cluster.create("copy_flat", sql="CREATE TABLE a AS SELECT 'Tui_of_' || i AS t FROM generate_series(1, 3000) i")
    flat_id = sealed.backup(flat, "--compression", "false")
    cluster.drop(flat)
    assert not holds(sealed, text)
    asked = copy(sealed, target, expect="CONFIRM").says("is encrypted", "Nothing was done", "--yes")
    assert "--dry-run" not in asked.said  # it has none
    assert not target.repo.exists()
    copy(sealed, target, flat_id, "--yes")
    assert holds(target, text)
    assert target.ids() == [flat_id]
    assert_whole(target)
    # It is asked again, and of a target that is there, too.
    copy(sealed, target, expect="CONFIRM")
    assert target.ids() == [flat_id]


def test_other_keys_and_keys_that_read_nothing(source, target, cluster, folder, database):
    first = twin(cluster, folder, folder / "first", PGSTOW_PASSPHRASE=WORDS)
    source.run("copy", source.other, "--to", first.repo, "--encrypt", env={"PGSTOW_TO_PASSPHRASE": WORDS})
    first.run("key", "add", "--write-only", "--database", "copy_other", "--new-key-file", folder / "weak", "--name", "weak")
    copy(first, target, "--all", "--encrypt", "--to-key-file", folder / "key")
    second = twin(cluster, folder, target.repo, PGSTOW_KEY_FILE=folder / "key")
    second.run("list", env={"PGSTOW_KEY_FILE": None, "PGSTOW_PASSPHRASE": WORDS}, expect="KEY")
    assert_whole(second)
    second.restore(source.other, database())
    # The same key for both, where none is named for the target.
    third = twin(cluster, folder, folder / "third", PGSTOW_PASSPHRASE=WORDS)
    first.run("copy", "--all", "--to", third.repo, "--encrypt")
    assert third.ids() == [source.other]
    weak = twin(cluster, folder, first.repo, PGSTOW_KEY_FILE=folder / "weak")
    weak.run("copy", "--all", "--to", folder / "never", "--yes", expect="KEY").says("only write")


def test_a_write_only_key_copies_into_a_repository(source, target, cluster, folder, database):
    """With a key for one database, into a repository that holds another one, too."""
    to = {"PGSTOW_TO_PASSPHRASE": WORDS}
    copy(source, target, source.other, "--encrypt", env=to)
    full = twin(cluster, folder, target.repo, PGSTOW_PASSPHRASE=WORDS)
    full.run("key", "add", "--write-only", "--database", "copy_shop", "--new-key-file", folder / "weak", "--name", "weak")
    weak = {"PGSTOW_TO_KEY_FILE": str(folder / "weak")}
    copy(source, target, *source.made[:2], env=weak)
    before = packs(target)
    result = copy(source, target, "--all", "--json", env=weak, expect="PARTIAL").json
    assert result["there"] == source.made[:2]
    assert [b["id"] for b in result["copied"]] == source.made[2:]
    assert [(f["id"], f["error"]["kind"]) for f in result["failed"]] == [(source.other, "KEY")]
    assert sum(packs(target).values()) - sum(before.values()) < new_bytes(source, source.made[2]) + 20000
    assert_whole(full)
    full.restore(source.made[2], database())


# ---------------------------------------------------------------- interrupted


def killed_at(source, target, point):
    with source.start("copy", "--all", "--to", target.repo, env={"PGSTOW_FAULT": f"{point}:kill"}) as run:
        assert run.wait().status == -signal.SIGKILL, point


@pytest.mark.parametrize("point", ["copy.pack.finish", "copy.piece:4", "writer.commit.recipes:3", "copy.name", "writer.commit.committed"])
def test_killed_and_continued(source, target, point):
    name, _, n = point.partition(":")
    with source.start("copy", "--all", "--to", target.repo, env={"PGSTOW_FAULT": f"{name}:kill:{n or 1}"}) as run:
        assert run.wait().status == -signal.SIGKILL
    assert set(target.ids()) < set(source.ids())
    first = {name for name in target.files() if name.startswith("origins/")}
    copy(source, target)
    assert sorted(target.ids()) == sorted(source.ids())
    origins = [name.rsplit("/")[-1].split(".") for name in target.files() if name.startswith("origins/")]
    there = [pack.rsplit("/")[-1] for pack in packs(target)]
    copied = [source_pack for source_pack, pack in origins if pack in there]
    assert len(copied) == len(set(copied)), "a pack was copied twice"
    assert first
    assert_whole(target)


@pytest.mark.slow
def test_killed_anywhere(source, target, folder):
    """Whatever the moment: nothing half is visible, the next run goes on, and no pack is copied twice."""
    listing = folder / "points"
    copy(source, target, env={"PGSTOW_FAULT_LIST": str(listing)})
    ids = sorted(target.ids())
    names = listing.read_text().split()
    shutil.rmtree(target.repo)
    tried = 0
    for name in dict.fromkeys(names):
        for n in sorted({1, (names.count(name) + 1) // 2, names.count(name)}):
            with source.start("copy", "--all", "--to", target.repo, env={"PGSTOW_FAULT": f"{name}:kill:{n}"}) as run:
                assert run.wait().status == -signal.SIGKILL, name
            if (target.repo / "config").exists():
                assert set(target.ids()) <= set(ids)
            copy(source, target)
            # Only who dies between taking the name and using it leaves it used up.
            named = name in ("copy.named", "writer.commit.manifest") or name.startswith("store.")
            found = [i[:-2] if named and i.endswith("-2") else i for i in target.ids()]
            assert sorted(found) == ids, (name, n)
            origins = [o.rsplit("/")[-1].split(".") for o in target.files() if o.startswith("origins/")]
            there = [pack.rsplit("/")[-1] for pack in packs(target)]
            copied = [source_pack for source_pack, pack in origins if pack in there]
            assert len(copied) == len(set(copied)), (name, n)
            assert_whole(target)
            shutil.rmtree(target.repo)
            tried += 1
    assert tried > 40


def test_two_at_once_and_interrupted(source, target):
    """The second one is refused what the first one is at, and does the rest; Ctrl-C leaves it to be gone on with."""
    with source.start("copy", "--all", "--to", target.repo, env={"PGSTOW_FAULT": "copy.pack.finish:stop"}) as first:
        assert first.wait_stopped()
        second = copy(source, target, "--all", "--json", expect="PARTIAL").json
        assert [f["id"] for f in second["failed"]] == [source.other]
        assert second["failed"][0]["error"]["kind"] == "BUSY"
        assert [b["id"] for b in second["copied"]] == source.made
        first.resume()
        done = first.wait().expect("OK")
    done.says(f"{source.other}: ", f"{source.made[2]} is there already")
    assert_whole(target)
    shutil.rmtree(target.repo)
    with source.start("copy", "--all", "--to", target.repo, env={"PGSTOW_FAULT": "copy.piece:stop"}) as run:
        assert run.wait_stopped()
        run.process.send_signal(signal.SIGINT)
        run.resume()
        run.wait().expect("CANCELLED")
    before = {name for name in packs(target)}
    assert before and not target.ids()
    copy(source, target)
    assert before < set(packs(target))
    assert sorted(target.ids()) == sorted(source.ids())
    assert_whole(target)


# ---------------------------------------------------------------- what stands against it


def test_another_backup_under_the_id(source, mine, target):
    # Made apart from each other: the same id, but not the same backup.
    shutil.copytree(mine.repo, target.repo)
    config = target.repo / "config"
    copy(mine, target, expect="CONFLICT").says("same repository")
    shutil.rmtree(target.repo)
    copy(mine, target, source.other)
    made = json.loads(config.read_text().splitlines()[0])
    assert made["id"] != json.loads((mine.repo / "config").read_text().splitlines()[0])["id"]
    target.run("delete", source.other)
    result = copy(mine, target, "--all", "--json", expect="PARTIAL").json
    assert [f["error"]["kind"] for f in result["failed"]] == ["EXISTS"]
    assert [b["id"] for b in result["copied"]] == source.made
    copy(mine, target, source.other, expect="EXISTS").says("deleted")


def test_damage_stays_where_it_is(source, mine, target):
    """What needs the damaged frame is not copied, all else is."""
    other = mine.run("show", source.other, "--json").json
    assert other["id"] == source.other
    manifest = {name: size for name, size in packs(mine).items()}
    copy(mine, target, source.other)
    taken = [name.rsplit("/")[-1].split(".")[0] for name in target.files() if name.startswith("origins/")]
    shutil.rmtree(target.repo)
    assert len(taken) == 1
    path = next(mine.repo / name for name in manifest if name.endswith("/" + taken[0]))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)
    result = copy(mine, target, "--all", "--json", expect="PARTIAL").json
    assert [(f["id"], f["error"]["kind"]) for f in result["failed"]] == [(source.other, "DAMAGED")]
    assert target.ids() == source.made
    assert_whole(target)


def test_usage(source, target):
    source.run("copy", "--all", expect="USAGE").says("--to")
    copy(source, target, source.other, "--all", expect="USAGE")
    source.run("copy", "--to", target.repo, expect="USAGE")
    copy(source, target, "nothing", expect="NOT_FOUND")
    source.run("copy", "--all", "--to", target.repo, repo=target.folder / "none", expect="REPO_NOT_FOUND")
    assert not (target.folder / "none").exists()
