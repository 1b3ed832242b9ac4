"""Syncs between servers of other versions: an upgrade on the way, and back where the tools allow it."""

import pytest

from harness.crossing import Fleet
from harness.sites import Sites
from harness.trials import SQL, Trial

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def fleet():
    fleet = Fleet(majors=(13, 15, 18))
    yield fleet
    fleet.destroy()


@pytest.mark.parametrize("of_a, of_b", [(15, 18), (13, 18), (18, 15)])
def test_between_two_versions(fleet, folder, of_a, of_b):
    """Both ways, by both methods: rows go into an older server as well."""
    two = Sites((fleet.server(of_a), fleet.server(of_b)), folder, SQL, faults=True, path=fleet.path(fleet.majors))
    try:
        for direction in ("pull", "push"):
            for method in ("backup", "http"):
                trial = Trial(two, direction)
                trial.judge(trial.run("--method", method), must=True)
            trial.again(twice=True)
    finally:
        two.close()


@pytest.mark.parametrize("direction", ["pull", "push"])
def test_a_source_that_is_newer_than_every_pg_dump(fleet, folder, direction):
    """By backups it is refused, and says what is missing; else rows go by http."""
    majors = (18, 15) if direction == "push" else (15, 18)
    two = Sites([fleet.server(major) for major in majors], folder, SQL, faults=True, path=fleet.path((15,)))
    try:
        trial = Trial(two, direction)
        result = trial.run("--method", "backup")
        assert result.json["error"]["kind"] == "TOOL_VERSION", result
        trial.judge(result, must=False)
        trial = Trial(two, direction)
        result = trial.run()
        trial.judge(result, must=True)
        assert result.json["method"] == "http"
        trial.again(twice=True)
    finally:
        two.close()


@pytest.mark.parametrize("direction", ["pull", "push"])
def test_an_empty_database_of_an_older_server(fleet, folder, direction):
    """A restore of the whole would have to bring definitions: it is refused or succeeds, and never half."""
    of_a, of_b = ("", SQL) if direction == "pull" else (SQL, "")
    majors = (15, 18) if direction == "pull" else (18, 15)
    two = Sites([fleet.server(major) for major in majors], folder, of_a, of_b, faults=True, path=fleet.path(fleet.majors))
    try:
        result = two.run(direction, "--session", "whole", expect=None)
        if result.status == 0:
            two.assert_same()
        else:
            assert two.target(direction).sql("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == "0", result
        assert two.statuses("whole")[0] == ("COMPLETED" if result.status == 0 else "FAILED")
        left = [name for name in two.target(direction).cluster.databases() if "_pgstow_" in name]
        assert not left, left
    finally:
        two.close()
