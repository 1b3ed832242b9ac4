#!/usr/bin/python3
"""Which lines of src the tests have reached, from gcov: a summary by folder on standard output, and
each file's unreached lines in BUILD/coverage.txt. See ./dev coverage."""

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def counts_of(build):
    """file: {line: how often it ran}, summed over all programs that contain it."""
    counts = defaultdict(lambda: defaultdict(int))
    # What was compiled but never ran has notes only: its lines count as unreached.
    notes = sorted(build.rglob("*.gcno"))
    if not notes:
        raise SystemExit(f"{build} has no .gcno files: it was not built with -Db_coverage=true")
    for note in notes:
        done = subprocess.run(
            ["gcov", "--json-format", "--stdout", str(note)], cwd=build, capture_output=True, check=True
        )
        for document in done.stdout.splitlines():
            for file in json.loads(document)["files"]:
                path = (build / file["file"]).resolve()
                if ROOT / "src" not in path.parents:
                    continue
                lines = counts[str(path.relative_to(ROOT))]
                for line in file["lines"]:
                    lines[line["line_number"]] += line["count"]
    return counts


def ranges(numbers):
    """1, 2, 3, 7 as "1-3 7"."""
    runs = []
    for number in sorted(numbers):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def line(name, reached, known):
    share = 100 * reached / known if known else 100.0
    return f"{name:<34} {reached:6} of {known:6} lines {share:6.1f} %"


def main():
    build = Path(sys.argv[1]).resolve()
    folders = defaultdict(lambda: [0, 0])
    with open(build / "coverage.txt", "w") as details:
        for file, lines in sorted(counts_of(build).items()):
            missed = [number for number, count in lines.items() if count == 0]
            for sums in (folders[str(Path(file).parent)], folders["all"]):
                sums[0] += len(lines) - len(missed)
                sums[1] += len(lines)
            print(line(file, len(lines) - len(missed), len(lines)), file=details)
            if missed:
                print(f"    not reached: {ranges(missed)}", file=details)
    for folder in sorted(folders, key=lambda name: (name == "all", name)):
        print(line(folder, *folders[folder]))
    print(f"by file, with the lines not reached: {build / 'coverage.txt'}")


if __name__ == "__main__":
    main()
