"""./dev bench: what it concludes from figures, what it writes, and one part of it run through on a few small tables."""

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from harness.program import ROOT, program

BENCH = ROOT / "bench"
sys.path.append(str(BENCH))
sys.dont_write_bytecode = True

from goals import goal_rows, limit  # noqa: E402
from measure import CommandFailed, run_timed  # noqa: E402
from plots import GOOD, bars  # noqa: E402
from write_docs import REGIONS, replaced, write_docs  # noqa: E402


def results(**parts):
    """Stored results with these parts; each its times, and what else is said."""
    whole = {
        name: {"date": "2026-01-01 10:00 UTC", "runs": 3, "took": 1.0, "scale": 1, "text_bytes": 10**9, **part}
        for name, part in parts.items()
    }
    machine = {"cores": 2, "cpu": "a processor", "memory_bytes": 2**34, "postgresql": "15"}
    return {"machine": machine, "scale": 1, "jobs": 2, "parts": whole}


TPCH = {
    "times": {"floor": [4.0, 6.0, 5.0], "pgstow first": [7.0, 9.0, 8.0], "pgstow again": [6.0]},
    "processor": {"pgstow first": [10.0, 12.0, 11.0]},
    "server": {"floor": [5.0, 9.0, 7.0]},
    "bytes": {"pgstow first": 400, "pgstow again": 1, "pg_dump -Fc": 500},
    "peaks": {"backup": 30 * 10**6, "restore": 151 * 10**6},
}


def row_of(value, beginning):
    return next(row for row in goal_rows(value) if row.what.startswith(beginning))


def test_figures_are_ratios_of_medians_and_judged():
    value = results(tpch=TPCH)
    row = row_of(value, "first backup / floor")
    assert (row.figure, row.shown(), row.verdict()) == (8.0 / 5.0, "1.60", "met")
    assert row.raw.startswith("8.00 s (7.00..9.00) / 5.00 s (4.00..6.00)")
    assert row_of(value, "unchanged again / floor").verdict() == "missed"
    assert row_of(value, "unchanged again, new").figure == 0.25
    assert row_of(value, "repository after").verdict() == "met"
    memory = row_of(value, "peak memory, 1 GB")
    assert (memory.figure, memory.verdict()) == (151, "missed"), "the highest of all commands counts"
    assert row_of(value, "list over").verdict() == "not measured"


def test_rounding_does_not_hide_a_missed_goal():
    part = {**TPCH, "times": {"floor": [1000.0], "pgstow first": [1603.0]}}
    row = row_of(results(tpch=part), "first backup / floor")
    assert (row.shown(), row.verdict()) == ("1.603", "missed")


def test_limit_is_server_and_own_work_over_cores():
    bound = limit(results(tpch=TPCH))
    assert (bound["seconds"], bound["first"]) == ((7.0 + 11.0) / 2, 8.0)
    assert limit(results()) is None


def test_every_goal_can_be_missing():
    assert {row.verdict() for row in goal_rows(results())} == {"not measured"}


def test_page_has_every_marker_and_its_prose_stays(folder):
    shutil.copy(ROOT / "docs" / "performance.md", folder)
    page = folder / "performance.md"
    prose = page.read_text().split("<!-- bench: end of sets -->")[1]
    for value in (results(tpch=TPCH), results(tpch=TPCH, wide=TPCH)):
        write_docs(value, folder)
        text = page.read_text()
        assert text.endswith(prose) and "8.00 s (7.00..9.00)" in text and "a processor" in text
    assert text.count("| short columns |") == 1
    write_docs(value, folder)
    assert page.read_text() == text, "written twice it is the same"
    assert sorted(path.name for path in folder.glob("*.svg")) == [
        f"performance-{name}.svg" for name in ("first", "goals", "sizes")
    ]
    for plot in folder.glob("*.svg"):
        assert ElementTree.parse(plot).getroot().tag.endswith("svg")


def test_page_without_a_marker_is_refused():
    for text in ("", "<!-- bench: end of goals -->\n<!-- bench: goals -->\n"):
        with pytest.raises(SystemExit):
            replaced(text, "goals", "x")
    assert "goals" in REGIONS


def test_bars_escape_and_cut():
    root = ElementTree.fromstring(bars("a < b", [("x & y", 10.0, "ten", GOOD), ("z", 1.0, "one", GOOD)], (1, "goal"), most=2))
    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[:2] == ["a < b", "x & y"] and "goal" in texts
    widths = [float(bar.get("width")) for bar in root.iter("{http://www.w3.org/2000/svg}rect")][1:]
    assert widths[0] == 2 * widths[1], "what is longer than twice the goal is cut there"


def test_measured_pipelines(folder):
    (folder / "file").write_bytes(bytes(10**6))
    done = run_timed(["cat", folder / "file"], ["wc", "-c"], capture=True)
    assert done.output == "1000000\n" and done.peak_bytes > 0
    assert 2 * 10**6 <= done.read_bytes < 3 * 10**6, "both have read it"
    with pytest.raises(CommandFailed, match="false ended with 1"):
        run_timed(["false"], ["cat"])


def test_one_part_run_through(folder):
    shutil.copy(ROOT / "docs" / "performance.md", folder)
    command = [sys.executable, "-B", BENCH / "bench.py", "--pgstow", program(), "--out", folder]
    command += ["--scale", "0.004", "--runs", "1"]
    done = subprocess.run(
        [*command, "--only", "small", "--write-docs", folder],
        env={**os.environ, "BENCH_DIR": str(folder)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    value = json.loads((folder / "result-0.004.json").read_text())
    part = value["parts"]["small"]
    assert not part["problems"] and part["text_bytes"] > 0
    for name in ("floor", "pgstow first", "pg_dump -Fc", "pgstow again"):
        assert len(part["times"][name]) == 1 and len(part["server"][name]) == 1, name
    assert "first.svg" not in (folder / "performance.md").read_text(), "no plot of what was not measured"
    assert 0 < part["bytes"]["pgstow again"] < part["bytes"]["pgstow first"]
    assert "5,000 small tables: first / pg_dump -Fc" in done.stdout
    assert "| 5,000 small tables |" in (folder / "performance.md").read_text()
    assert not Path(folder / "work").exists(), "repositories and dumps are gone"
    again = subprocess.run([*command, "--report"], capture_output=True, text=True)
    assert again.returncode == 0 and "5,000 small tables: first / pg_dump -Fc" in again.stdout, again.stderr
