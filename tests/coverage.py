#!/usr/bin/python3
"""Which lines and branches of src the tests have reached, from gcov, and which that they have not are
excused. See ./dev coverage.

Standard output: a summary by folder. BUILD/coverage.txt: each file with the lines not reached.
BUILD/coverage.unexcused: each region (lines that follow each other in one function) that nothing in
tests/coverage.excuses gives a reason for. Exit status 1 where there are more of these than that file
says, or where an excuse excuses nothing."""

import fnmatch
import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXCUSES = ROOT / "tests" / "coverage.excuses"


class File:
    """Counts of one source file, summed over all programs that contain it."""

    def __init__(self):
        self.lines = defaultdict(int)
        self.branches = defaultdict(lambda: defaultdict(int))
        self.functions = {}  # line: the function that it is in

    def add(self, document):
        for line in document["lines"]:
            number = line["line_number"]
            self.lines[number] += line["count"]
            self.functions[number] = line.get("function_name", "")
            for i, branch in enumerate(line["branches"]):
                self.branches[number][i] += branch["count"]

    def missed(self):
        return sorted(number for number, count in self.lines.items() if count == 0)

    def branch_counts(self):
        return [count for branches in self.branches.values() for count in branches.values()]

    def regions(self):
        """[function, its unreached lines one behind the other]: lines without code do not part them."""
        known, runs = sorted(self.lines), []
        for before, number in zip([None, *known], known):
            if self.lines[number]:
                continue
            name = self.functions[number]
            if runs and runs[-1][1][-1] == before and runs[-1][0] == name:
                runs[-1][1].append(number)
            else:
                runs.append([name, [number]])
        return runs


def files_of(build):
    files = defaultdict(File)
    # What was compiled but never ran has notes only: its lines count as unreached.
    notes = sorted(build.rglob("*.gcno"))
    if not notes:
        raise SystemExit(f"{build} has no .gcno files: it was not built with -Db_coverage=true")
    for note in notes:
        done = subprocess.run(
            ["gcov", "--json-format", "--branch-probabilities", "--stdout", str(note)],
            cwd=build, capture_output=True, check=True,
        )  # fmt: skip
        for line in done.stdout.splitlines():
            for document in json.loads(line)["files"]:
                path = (build / document["file"]).resolve()
                if ROOT / "src" in path.parents:
                    files[str(path.relative_to(ROOT))].add(document)
    return files


class Excuse:
    """FILE FUNCTION REASON, or FILE /PATTERN/ REASON: a pattern is looked for in every line of a region."""

    def __init__(self, number, text):
        match = re.fullmatch(r"(\S+)\s+(/(?:[^/\\]|\\.)+/|\S+)\s+(\S.*)", text)
        if not match:
            raise SystemExit(f"{EXCUSES.name}:{number}: not FILE FUNCTION REASON: {text}")
        self.number, self.file, self.what, self.reason = number, *match.groups()
        self.pattern = re.compile(self.what[1:-1]) if self.what.startswith("/") else None
        self.used = 0

    def covers(self, file, function, texts):
        if not fnmatch.fnmatchcase(file, self.file):
            return False
        if not self.pattern:
            return fnmatch.fnmatchcase(function, self.what)
        return all(self.pattern.search(text) for text in texts)


def read_excuses():
    """The excuses, and how many regions may be without; None where the file sets no limit."""
    excuses, most = [], None
    for number, line in enumerate(EXCUSES.read_text().splitlines(), 1):
        if line.startswith("unexcused "):
            most = int(line.split()[1])
        elif line.strip() and not line.startswith("#"):
            excuses.append(Excuse(number, line.strip()))
    return excuses, most


def ranges(numbers):
    """1, 2, 3, 7 as "1-3 7"."""
    runs = []
    for number in sorted(numbers):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def share(reached, known):
    return 100 * reached / known if known else 100.0


def line(name, sums):
    reached, known, taken, branches = sums
    return (f"{name:<34} {reached:6} of {known:6} lines {share(reached, known):6.1f} %"
            f" {taken:6} of {branches:6} branches {share(taken, branches):6.1f} %")  # fmt: skip


def summarize(files, build):
    folders = defaultdict(lambda: [0, 0, 0, 0])
    with open(build / "coverage.txt", "w") as details:
        for name, file in sorted(files.items()):
            missed, branches = file.missed(), file.branch_counts()
            counts = (len(file.lines) - len(missed), len(file.lines), sum(n > 0 for n in branches), len(branches))
            for sums in (folders[str(Path(name).parent)], folders["all"]):
                for i, n in enumerate(counts):
                    sums[i] += n
            print(line(name, counts), file=details)
            if missed:
                print(f"    not reached: {ranges(missed)}", file=details)
    for folder in sorted(folders, key=lambda name: (name == "all", name)):
        print(line(folder, folders[folder]))
    print(f"by file, with the lines not reached: {build / 'coverage.txt'}")


def judge(files, build):
    """Holds what was not reached against the excuses."""
    excuses, most = read_excuses()
    regions = unexcused = 0
    with open(build / "coverage.unexcused", "w") as out:
        for name, file in sorted(files.items()):
            source = (ROOT / name).read_text().splitlines()
            for function, numbers in file.regions():
                regions += 1
                texts = [source[number - 1] for number in numbers]
                found = [e for e in excuses if e.covers(name, function, texts)]
                for excuse in found:
                    excuse.used += 1
                if not found:
                    unexcused += 1
                    print(f"{name}:{ranges(numbers)} {function}: {texts[0].strip()}", file=out)
    print(f"{regions} regions not reached, {regions - unexcused} of them excused; the other {unexcused}: "
          f"{build / 'coverage.unexcused'}")  # fmt: skip
    stale = [excuse for excuse in excuses if not excuse.used]
    for excuse in stale:
        print(f"{EXCUSES.name}:{excuse.number}: excuses nothing any more: {excuse.file} {excuse.what}")
    grown = most is not None and unexcused > most
    if grown:
        print(f"that is more than the {most} that {EXCUSES.name} has: test the new ones, or say there why not")
    return not stale and not grown


def main():
    build = Path(sys.argv[1]).resolve()
    files = files_of(build)
    summarize(files, build)
    return 0 if judge(files, build) else 1


if __name__ == "__main__":
    sys.exit(main())
