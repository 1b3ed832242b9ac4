"""verify: each kind of file of a repository deleted, truncated, bit-flipped, swapped with a sibling. It
is found at the level that promises to find it, the affected backups are named, and restoring fails
loudly."""

import random
import re
import shutil

import pytest

from harness import compare
from harness.errors import status_of
from harness.program import Pgstow


@pytest.fixture(scope="module")
def pristine(cluster, shop_template, module_folder):
    """A repository with two databases and three backups, and what is in which."""
    program = Pgstow(cluster, module_folder)
    shop = cluster.create("verify_shop", template=shop_template)
    other = cluster.create("verify_other", sql="""
        CREATE TABLE o AS SELECT g AS a, md5(g::text) AS b FROM generate_series(1, 3000) g;""")
    program.shop, program.other = shop, other
    program.first = program.backup(shop)
    program.of_first = set(program.files())
    cluster.sql("INSERT INTO item SELECT g, 1, 1, md5(g::text) FROM generate_series(10001, 12000) g", shop)
    program.second = program.backup(shop)
    program.of_second = set(program.files()) - program.of_first
    program.third = program.backup(other)
    program.of_third = set(program.files()) - program.of_first - program.of_second
    program.run("verify", "--level", "rebuild")
    yield program
    cluster.drop(shop, other)


@pytest.fixture
def damaged(cluster, pristine, folder):
    """A copy of it to be damaged."""
    program = Pgstow(cluster, folder)
    shutil.copytree(pristine.repo, program.repo)
    for name in ("shop", "other", "first", "second", "third", "of_first", "of_second", "of_third"):
        setattr(program, name, getattr(pristine, name))
    return program


def packs(program, names):
    found = sorted((n for n in names if n.startswith("packs/")), key=lambda n: program.files()[n])
    assert found, names
    return found


def target(program, kind):
    """A file of that kind, and the backups that need it."""
    if kind == "rows of the first":
        return packs(program, program.of_first)[-1], {program.first, program.second}
    if kind == "recipes of the first":
        return packs(program, program.of_first)[0], {program.first}
    if kind == "rows of the third":
        return packs(program, program.of_third)[-1], {program.third}
    if kind == "manifest":
        return f"backups/{program.second}.manifest", {program.second}
    if kind == "metadata":
        return f"backups/{program.third}.metadata.json", {program.third}
    if kind == "config":
        return "config", {program.first, program.second, program.third}
    raise AssertionError(kind)


def sibling(program, name):
    """Another file of the same kind, of equal size if there is one."""
    suffix = re.search(r"(\.\w+)*$", name.rpartition("/")[2].partition("Z")[2] or "").group()
    folder = name.split("/")[0]
    others = [n for n in program.files() if n != name and n.startswith(folder) and n.endswith(suffix)]
    assert others, name
    size = program.files()[name]
    return min(others, key=lambda n: abs(program.files()[n] - size))


def harm(program, how, name):
    path = program.repo / name
    data = bytearray(path.read_bytes())
    if how == "deleted":
        path.unlink()
        return
    if how == "truncated":
        data = data[:-1]
    elif how == "cut in half":
        data = data[: len(data) // 2]
    elif how == "emptied":
        data = b""
    elif how == "longer":
        data += b"\0"
    elif how == "bit-flipped":
        data[len(data) // 2] ^= 0x04
    elif how == "swapped":
        other = program.repo / sibling(program, name)
        mine, theirs = bytes(data), other.read_bytes()
        other.write_bytes(mine)
        data = theirs
    path.write_bytes(data)


QUICK = ("deleted", "truncated", "cut in half", "emptied", "longer")  # sizes and graph
DATA = ("bit-flipped", "swapped")
ORDER = ["quick", "data", "rebuild"]


@pytest.mark.parametrize("how", QUICK + DATA)
@pytest.mark.parametrize("kind", ["rows of the first", "rows of the third", "recipes of the first", "manifest",
                                  "metadata", "config"])  # fmt: skip
def test_damage_is_found(cluster, damaged, kind, how):
    if (kind, how) == ("config", "swapped"):
        # It has no sibling: it gets another repository's.
        stranger = Pgstow(cluster, damaged.folder / "home")
        stranger.backup(damaged.other)
        shutil.copyfile(stranger.repo / "config", damaged.repo / "config")
        name, touched = target(damaged, kind)
    else:
        name, touched = target(damaged, kind)
        harm(damaged, how, name)
    promised = "data" if how in DATA and name.startswith("packs/") else "quick"
    for level in ORDER[ORDER.index(promised):]:
        result = damaged.run("verify", "--level", level, expect=None)
        assert result.status in (status_of("DAMAGED"), status_of("REPO_NOT_FOUND"),
                                 status_of("REPO_UNSUPPORTED")), f"{level}: {result}"  # fmt: skip
        if kind == "config":
            assert "config" in result.said or damaged.repo.name in result.said, str(result)
            continue
        assert name in result.said, f"{level} does not name {name}: {result}"
        for backup in touched:
            assert backup in result.said, f"{level} does not name {backup}: {result}"
    if how not in ("swapped",) and kind in ("rows of the third",):
        # Others are not blamed.
        doc = damaged.run("verify", "--level", "data", "--json", expect="DAMAGED").json
        assert set(doc["bad"]) == touched, doc
        assert set(doc["good"]) == {damaged.first, damaged.second}, doc


@pytest.mark.parametrize("how", ["deleted", "cut in half", "bit-flipped", "swapped"])
@pytest.mark.parametrize("kind", ["rows of the first", "recipes of the first", "manifest"])
def test_restoring_damage_fails_loudly(cluster, damaged, database, kind, how):
    name, touched = target(damaged, kind)
    harm(damaged, how, name)
    backup = sorted(touched)[-1]
    cluster_before = cluster.databases()
    result = damaged.run("restore", backup, "--to-db", "from_damaged", db=damaged.shop, expect=None)
    database.later("from_damaged")
    assert result.status in (status_of("DAMAGED"), status_of("NOT_FOUND")), str(result)
    result.error_says(re.escape(backup))
    assert not re.search("restored [^0]", result.stdout), str(result)
    assert cluster.databases() - cluster_before <= {"from_damaged"}
    # And a replaced database stays as it was.
    before = compare.snapshot(cluster, damaged.shop)
    result = damaged.run("restore", backup, "--replace", "--yes", db=damaged.shop, expect=None)
    assert result.status != 0, str(result)
    compare.assert_as_before(cluster, damaged.shop, before)
    # Nor does an export come out.
    out = damaged.folder / "out.dump"
    assert damaged.run("export", backup, "--format", "custom", "-o", out, expect=None).status != 0
    assert not out.exists()


def test_damage_comes_with_a_remedy(damaged):
    """A restore that stops at damage says what to do next."""
    name, _ = target(damaged, "rows of the third")
    harm(damaged, "bit-flipped", name)
    result = damaged.run("restore", damaged.third, "--to-db", "never", db=damaged.other, expect="DAMAGED")
    result.error_says("hint:.*verify|hint:.*another backup")


def test_the_unharmed_still_restore(cluster, damaged, database):
    name, _ = target(damaged, "rows of the third")
    harm(damaged, "deleted", name)
    database.later("from_unharmed")
    damaged.restore(damaged.second, damaged.shop, "--to-db", "from_unharmed")
    compare.assert_same(cluster, damaged.shop, "from_unharmed")


@pytest.mark.parametrize("kind", ["rows of the third", "recipes of the first", "manifest"])
def test_any_bit(damaged, kind):
    """Forty bits anywhere in the file, one after another: all found by the data level."""
    name, _ = target(damaged, kind)
    path = damaged.repo / name
    good = path.read_bytes()
    chance = random.Random(len(good))
    places = {0, 1, 7, 8, len(good) - 1, len(good) - 2} | {chance.randrange(len(good)) for _ in range(34)}
    missed = []
    for place in sorted(places):
        bad = bytearray(good)
        bad[place] ^= 1 << chance.randrange(8)
        path.write_bytes(bad)
        if damaged.run("verify", "--level", "data", "--quiet", expect=None).status != status_of("DAMAGED"):
            missed.append(place)
    path.write_bytes(good)
    assert missed == [], f"of {len(good)} bytes of {name}"


def test_one_backup(damaged):
    """verify ID looks at that one only."""
    name, _ = target(damaged, "rows of the third")
    harm(damaged, "deleted", name)
    damaged.run("verify", damaged.second, "--level", "rebuild")
    damaged.run("verify", damaged.third, expect="DAMAGED")
    damaged.run("verify", "latest:" + damaged.other, expect="DAMAGED")


def test_json_names_everything(damaged):
    name, touched = target(damaged, "rows of the first")
    harm(damaged, "bit-flipped", name)
    doc = damaged.run("verify", "--level", "data", "--json", expect="DAMAGED").json
    problem = next(p for p in doc["problems"] if p["object"] == name)
    assert touched <= set(problem["backups"]), doc
    assert any(t in ("public.item", "public.customer") for t in problem["tables"]), doc


def test_proofs_are_listed(damaged):
    """list says when each backup was last proven, and how."""
    damaged.run("verify", damaged.first, "--level", "data")
    listed = {b["id"]: b for b in damaged.list()}
    proof = listed[damaged.first]["lastProof"]
    assert proof["level"] == "data" and re.match(r"\d{4}-\d\d-\d\dT", proof["time"]), proof
    assert "data" in damaged.run("list").stdout


def test_the_next_backup_heals(cluster, damaged):
    """What verify found damaged is written again, although the rows did not change."""
    name, _ = target(damaged, "rows of the third")
    harm(damaged, "bit-flipped", name)
    damaged.run("verify", "--level", "data", expect="DAMAGED")
    healed = damaged.backup(damaged.other)
    damaged.run("verify", healed, "--level", "rebuild")
    # The repository still has the damage, and whoever asks for all of it is told.
    damaged.run("verify", "--level", "data", expect="DAMAGED")


def test_damage_and_healing_reach_check_and_restore(cluster, damaged, database):
    """check counts no backup that was found damaged, and damage left in a pack beside what a healed backup
    refers to does not stop it from replacing a database in place."""
    assert damaged.run("check", damaged.shop).stdout.startswith("OK")
    name, _ = target(damaged, "rows of the first")
    harm(damaged, "bit-flipped", name)
    damaged.run("verify", "--level", "data", expect="DAMAGED")
    assert "no good backup" in damaged.run("check", damaged.shop, expect="STALE").stdout
    assert "DAMAGED" in damaged.run("show", damaged.second).stdout
    dry = damaged.run("restore", damaged.second, "--to-db", "healed_in_place", "--dry-run", db=damaged.shop)
    assert "found the backup damaged" in dry.stdout
    healed = damaged.backup(damaged.shop)
    assert healed in damaged.run("check", damaged.shop).stdout
    database.later("healed_in_place")
    damaged.restore(healed, damaged.shop, "--to-db", "healed_in_place")
    damaged.restore(healed, damaged.shop, "--to-db", "healed_in_place", "--in-place", "--yes")
    compare.assert_same(cluster, damaged.shop, "healed_in_place")


def test_a_missing_pack_heals_without_verify(cluster, damaged, database):
    """A parent's chunk counts only if its pack is there with the right size."""
    name, _ = target(damaged, "rows of the third")
    harm(damaged, "deleted", name)
    healed = damaged.backup(damaged.other)
    damaged.run("verify", healed, "--level", "rebuild")
    database.later("healed_copy")
    damaged.restore(healed, damaged.other, "--to-db", "healed_copy")
    compare.assert_same(cluster, damaged.other, "healed_copy")


def test_a_damaged_parent_does_not_stop_a_backup(damaged):
    harm(damaged, "bit-flipped", f"backups/{damaged.third}.manifest")
    healed = damaged.backup(damaged.other)
    damaged.run("verify", healed, "--level", "rebuild")


def test_a_newer_format_is_refused(damaged):
    """An unknown required feature: not read, not written, and not called damaged."""
    path = damaged.repo / "config"
    text = path.read_text()
    number = re.search(r'("(?:format|formatVersion|version)"\s*:\s*)(\d+)', text)
    assert number, text
    path.write_text(text[: number.start(2)] + "99" + text[number.end(2):])
    for args in (("list",), ("verify",), ("backup",), ("restore", damaged.first, "--to-db", "x")):
        result = damaged.run(*args, db=damaged.shop, expect=None)
        assert result.status in (status_of("REPO_UNSUPPORTED"), status_of("DAMAGED")), str(result)


def test_not_a_repository(pgstow):
    pgstow.run("verify", expect="REPO_NOT_FOUND").error_says(re.escape(str(pgstow.repo)))
    pgstow.run("list", expect="REPO_NOT_FOUND")


def test_nonsense_names(damaged):
    damaged.run("verify", "nonsense", expect="NOT_FOUND")
    damaged.run("verify", "--level", "thorough", expect="USAGE").error_says("quick", "rebuild")
