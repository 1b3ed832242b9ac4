#!/usr/bin/python3
"""Which lines and branches of src the tests have reached, from gcov, and which that they have not are
excused. See ./dev coverage.

Standard output: a summary by folder, what the lines not reached are, and as the last line
`lines N %, branches N %, unexcused N` (unexcused are lines). BUILD/coverage.txt: each file with the lines
not reached. BUILD/coverage.excused: each region (lines that follow each other in one function) that was not
reached, under the reason that tests/coverage.excuses gives for it. BUILD/coverage.unexcused: those that
nothing there gives a reason for. Exit status 1 where these are more lines than that file says, or where an
excuse excuses nothing."""

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
    """FILE FUNCTION REASON, or FILE /PATTERN/ REASON: a pattern is looked for in every line of a region. Which
    of several counts is the first in the file. Reasons begin with `untested:` where a test is missing, and with
    `sometimes:` where not every run reaches it: these may stand for nothing."""

    def __init__(self, number, text):
        match = re.fullmatch(r"(\S+)\s+(/(?:[^/\\]|\\.)+/|\S+)\s+(\S.*)", text)
        if not match:
            raise SystemExit(f"{EXCUSES.name}:{number}: not FILE FUNCTION REASON: {text}")
        self.number, self.file, self.what, self.reason = number, *match.groups()
        self.pattern = re.compile(self.what[1:-1]) if self.what.startswith("/") else None
        self.untested = self.reason.startswith("untested:")
        self.lasting = self.reason.startswith("sometimes:")
        self.used = 0
        self.regions = []  # (file, function, lines) for which it is the first

    def covers(self, file, function, texts):
        if not fnmatch.fnmatchcase(file, self.file):
            return False
        if not self.pattern:
            return fnmatch.fnmatchcase(function, self.what)
        return all(self.pattern.search(text) for text in texts)


def read_excuses():
    """The excuses, and how many lines may be untested and how many without a reason: none where it does not say."""
    excuses, most = [], {"untested": 0, "unexcused": 0}
    for number, line in enumerate(EXCUSES.read_text().splitlines(), 1):
        words = line.split()
        if len(words) == 2 and words[0] in most:
            most[words[0]] = int(words[1])
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
    """Prints it and returns the sums of all."""
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
    return folders["all"]


ON_UNREACHED, NEVER_FAILED = "on lines not reached, or leading to one", "where a call never failed (TRY, TRY_CTX)"
INLINED, CONDITION = "in what is inlined (AUTO frees what may be empty)", "in conditions"


def kind_of_branch(text):
    if re.search(r"\bTRY(_CTX)?\(", text):
        return NEVER_FAILED
    return CONDITION if re.search(r"\b(if|for|while|switch|case)\b|&&|\|\||\?", text) else INLINED


def branches_of(files, build):
    """Prints how many branches were never taken, by why, and lists those that no line stands for."""
    counts = dict.fromkeys((ON_UNREACHED, NEVER_FAILED, INLINED, CONDITION), 0)
    with open(build / "coverage.branches", "w") as out:
        for name, file in sorted(files.items()):
            source, known = (ROOT / name).read_text().splitlines(), sorted(file.lines)
            for number, after in zip(known, [*known[1:], None]):
                missed = sum(count == 0 for count in file.branches[number].values())
                if not missed:
                    continue
                near = not file.lines[number] or (after and not file.lines[after])
                kind = ON_UNREACHED if near else kind_of_branch(source[number - 1])
                counts[kind] += missed
                if kind == CONDITION:
                    print(f"{name}:{number} {file.functions[number]}: {missed} of {len(file.branches[number])}: "
                          f"{source[number - 1].strip()}", file=out)  # fmt: skip
    told = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    print(f"branches not taken: {told}; the last are in {build / 'coverage.branches'}")


def write_excused(excuses, path):
    with open(path, "w") as out:
        for excuse in excuses:
            count = sum(len(numbers) for _, _, numbers in excuse.regions)
            print(f"{count} lines, {excuse.file} {excuse.what}: {excuse.reason}", file=out)
            for name, function, numbers in excuse.regions:
                print(f"    {name}:{ranges(numbers)} {function}", file=out)


def judge(files, build):
    """Holds what was not reached against the excuses. How many lines have none, and whether that is right."""
    excuses, most = read_excuses()
    unexcused = 0
    with open(build / "coverage.unexcused", "w") as out:
        for name, file in sorted(files.items()):
            source = (ROOT / name).read_text().splitlines()
            for function, numbers in file.regions():
                texts = [source[number - 1] for number in numbers]
                found = [e for e in excuses if e.covers(name, function, texts)]
                for excuse in found:
                    excuse.used += 1
                if found:
                    found[0].regions.append((name, function, numbers))
                else:
                    unexcused += len(numbers)
                    print(f"{name}:{ranges(numbers)} {function}: {texts[0].strip()}", file=out)
    write_excused(excuses, build / "coverage.excused")
    sums = [0, 0]
    for excuse in excuses:
        sums[excuse.untested] += sum(len(numbers) for _, _, numbers in excuse.regions)
    print(f"lines not reached: {sums[0]} with a reason, {sums[1]} that are owned up to as untested, {unexcused} with "
          f"neither; see {build / 'coverage.excused'} and {build / 'coverage.unexcused'}")  # fmt: skip
    stale = [excuse for excuse in excuses if not excuse.used and not excuse.lasting]
    for excuse in stale:
        told = "is reached now, take it out" if excuse.untested else "excuses nothing any more"
        print(f"{EXCUSES.name}:{excuse.number}: {told}: {excuse.file} {excuse.what}")
    grown = False
    for kind, count in (("untested", sums[True]), ("unexcused", unexcused)):
        if count > most[kind]:
            grown = True
            print(f"{count} lines are {kind}, {EXCUSES.name} allows {most[kind]}: test them, or say there why not")
    return unexcused, not grown and all(excuse.untested for excuse in stale)


def main():
    build = Path(sys.argv[1]).resolve()
    files = files_of(build)
    reached, known, taken, branches = summarize(files, build)
    branches_of(files, build)
    unexcused, agreed = judge(files, build)
    print(f"lines {share(reached, known):.1f} %, branches {share(taken, branches):.1f} %, unexcused {unexcused}")
    return 0 if agreed else 1


if __name__ == "__main__":
    sys.exit(main())
