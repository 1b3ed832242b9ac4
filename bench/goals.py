"""The goals, and the measurements against them: rows out of the stored results. See bench.py."""

import statistics
from dataclasses import dataclass

MB = 1e6
LIST_SECONDS = 0.5
MEMORY_MB = 150
SAME = 1.25  # memory that is "the same" at five times the data: allocators and threads are no clocks


@dataclass
class Row:
    what: str
    figure: float | None  # None: not measured
    unit: str
    goal: float | None  # at most; None: only there to be known
    raw: str
    part: str

    @property
    def met(self):
        return self.figure is not None and self.figure <= self.goal

    def verdict(self):
        if self.goal is None:
            return ""
        if self.figure is None:
            return "not measured"
        return "met" if self.met else "missed"

    def shown(self):
        if self.figure is None:
            return "-"
        # Never rounded across the goal.
        for digits in (2, 3, 4):
            text = f"{self.figure:.{digits}f}"
            if self.goal is None or (float(text) <= self.goal) == self.met:
                break
        return f"{text} {self.unit}".strip()


def size(count):
    if count is None:
        return "-"
    if count >= 1e9:
        return f"{count / 1e9:.2f} GB"
    return f"{count / MB:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


class Part:
    """The figures of one part, which may not have been measured."""

    def __init__(self, results, name):
        self.name, self.value = name, results["parts"].get(name) or {}

    def __getitem__(self, key):
        return self.value.get(key) or {}

    def median(self, name, kind="times"):
        values = self[kind].get(name)
        return statistics.median(values) if values else None

    def seconds(self, name):
        values = self["times"].get(name)
        if not values:
            return "-"
        digits = 2 if min(values) >= 0.1 else 3
        middle = f"{statistics.median(values):.{digits}f} s"
        return middle if len(values) == 1 else f"{middle} ({min(values):.{digits}f}..{max(values):.{digits}f})"

    def ratio(self, what, ours, theirs, goal=None, more=""):
        a, b = self.median(ours), self.median(theirs)
        raw = f"{self.seconds(ours)} / {self.seconds(theirs)}" if a and b else ""
        return Row(what, a / b if a and b else None, "", goal, raw + more, self.name)

    def share(self, what, part, whole, goal=None, percent=True, more=""):
        a, b = self["bytes"].get(part), self["bytes"].get(whole)
        known = a is not None and b
        raw = f"{size(a)} {'of' if percent else '/'} {size(b)}" if known else ""
        factor = 100 if percent else 1
        return Row(what, factor * a / b if known else None, "%" if percent else "", goal, raw + more, self.name)

    def wall(self, what, name, goal):
        return Row(what, self.median(name), "s", goal, self.seconds(name), self.name)

    def memory(self, what, goal):
        peaks = self["peaks"]
        raw = ", ".join(f"{verb} {size(peak)}" for verb, peak in peaks.items())
        return Row(what, max(peaks.values()) / MB if peaks else None, "MB", goal, raw, self.name)


def limit(results):
    """What a first backup must take on this machine, and of what that is made up; None: not measured."""
    tpch = Part(results, "tpch")
    server, ours = tpch.median("floor", "server"), tpch.median("pgstow first", "processor")
    if server is None or ours is None:
        return None
    cores = results["machine"]["cores"]
    return {
        "server": server,
        "ours": ours,
        "cores": cores,
        "seconds": (server + ours) / cores,
        "first": tpch.median("pgstow first"),
        "server_first": tpch.median("pgstow first", "server"),
    }


def processor(part, ours, theirs):
    a, b = part.median(ours, "processor"), part.median(theirs, "processor")
    return f"; processor {a:.2f} s / {b:.2f} s = {a / b:.3f}" if a and b else ""


def goal_rows(results):
    """The table of goals, in the order in which they were set."""
    tpch, changes, wide, small = (Part(results, name) for name in ("tpch", "changes", "wide", "small"))
    listing, large = Part(results, "list"), Part(results, "large")
    first, again, fastest = "pgstow first", "pgstow again", tpch["facts"].get("fastest", "-Z1")
    jobs = results.get("jobs", 2)
    bound = limit(results)
    beside = (
        f"; limit {bound['seconds']:.2f} s, of which it takes {bound['first'] / bound['seconds']:.2f} times"
        if bound
        else ""
    )
    read = tpch["facts"].get("one table, read() of all processes")
    text = tpch["facts"].get("one table, bytes as text")
    of_table = f"; the table is {size(text)} of {size(tpch.value.get('text_bytes'))} as text" if text else ""
    of_table += f"; its processes' read() {size(read)}" if read else ""
    peak, large_peak = tpch.memory("", None).figure, large.memory("", None).figure
    scale = large.value.get("scale", 5)
    times = scale / tpch.value.get("scale", 1)
    return [
        tpch.ratio("first backup / floor", first, "floor", 1.6, beside),
        tpch.ratio("first backup / (pg_dump -Fc -Z0 piped to zstd -1)", first, "pg_dump -Fc -Z0 | zstd -1", 0.8),
        tpch.ratio("first backup / (pg_dump -Fc -Z0 piped to restic)", first, "pg_dump -Fc -Z0 | restic first", 0.5),
        tpch.ratio("first backup, encrypted / plain", "pgstow first, encrypted", first, 1.03,
                   processor(tpch, "pgstow first, encrypted", first)),  # fmt: skip
        tpch.ratio("unchanged again / floor", again, "floor", 1.15),
        tpch.share("unchanged again, new bytes", again, first, 0.1),
        changes.share("0.05 % of rows updated, new bytes", "pgstow after: 0.05 % of rows updated", "before the changes", 4),
        changes.share("0.5 % of rows updated, new bytes", "pgstow after: 0.5 % of rows updated", "before the changes", 33),
        tpch.share("repository after the first / file of pg_dump -Fc", first, "pg_dump -Fc", 0.85, percent=False),
        wide.share("wide table: repository / file of pg_dump -Fc", first, "pg_dump -Fc", 0.5, percent=False),
        tpch.ratio(f"restore / pg_restore -j{jobs} from its fastest file ({fastest})", "pgstow restore",
                   f"pg_restore -j{jobs} from {fastest}", 0.7),  # fmt: skip
        tpch.share("one table of 1 %: bytes read of the repository", "read for one table", "repository", 2, more=of_table),
        tpch.ratio("one table of 1 %: restore / pg_restore -t", "pgstow restore --table", "pg_restore -t, one table", 1.5),
        tpch.ratio("verify data / sha256sum of the packs", "pgstow verify --level data", "sha256sum of the packs", 1.5),
        tpch.memory("peak memory, 1 GB", MEMORY_MB),
        large.memory(f"peak memory, {scale:g} GB", MEMORY_MB),
        Row(f"peak memory, {times:g} times the data / once", large_peak / peak if peak and large_peak else None, "", SAME,
            f"{large_peak:.1f} MB / {peak:.1f} MB" if peak and large_peak else "", "large"),  # fmt: skip
        small.ratio("5,000 small tables: first / pg_dump -Fc", first, "pg_dump -Fc", 1.0),
        small.ratio("5,000 small tables: unchanged again / pg_dump -Fc", again, "pg_dump -Fc", 0.9),
        listing.wall(f"list over {listing['facts'].get('backups', 10000):,} backups", "list", LIST_SECONDS),
        listing.wall("show of one of them", "show ID", LIST_SECONDS),
    ]


def other_rows(results):
    """What is only there to be known."""
    tpch, changes, listing = (Part(results, name) for name in ("tpch", "changes", "list"))
    first, again = "pgstow first", "pgstow again"
    jobs = results.get("jobs", 2)
    fastest = tpch["facts"].get("fastest", "-Z1")
    ours, theirs = tpch.median("pgstow restore"), tpch.median(f"pg_restore -j{jobs} from {fastest}")
    then = tpch.median("vacuumdb --analyze-only after it")
    whole = ours and theirs and then
    return [
        tpch.ratio("first backup / pg_dump -Fc", first, "pg_dump -Fc"),
        tpch.ratio("first backup / pg_dump -Fc -Z1", first, "pg_dump -Fc -Z1"),
        tpch.ratio("first backup / pg_dump -Fd -j2", first, "pg_dump -Fd -j2"),
        tpch.ratio("first backup / pg_dump -Fd -j2 -Z1", first, "pg_dump -Fd -j2 -Z1"),
        tpch.ratio("unchanged again / restic again", again, "pg_dump -Fc -Z0 | restic again"),
        tpch.share("repository / restic's", first, "pg_dump -Fc -Z0 | restic first", percent=False),
        changes.share("VACUUM FULL, new bytes", "pgstow after: VACUUM FULL, after these 0.5 %", "before the changes"),
        tpch.ratio("verify data / floor", "pgstow verify --level data", "floor"),
        tpch.ratio(f"verify data / sha256sum, {jobs} at a time", "pgstow verify --level data", f"sha256sum, {jobs} at a time"),
        Row("restore / (pg_restore and ANALYZE, which ours ends with)", ours / (theirs + then) if whole else None, "", None,
            f"{ours:.2f} s / ({theirs:.2f} + {then:.2f} s)" if whole else "", "tpch"),  # fmt: skip
        tpch.ratio("one table: restore / (pg_restore of it with its key, and ANALYZE)", "pgstow restore --table",
                   "pg_restore -L, one table with its key, and ANALYZE"),  # fmt: skip
        listing.wall("list --json of all", "list --json", None),
        listing.wall("show latest", "show latest", None),
        listing.memory("peak memory of list and show", None),
    ]


def set_rows(results):
    """Per data set: its name, bytes as text, then cells of text that hold ratio and raw figures; None: not measured."""
    rows = []
    for name, title in (
        ("tpch", "like TPC-H"),
        ("log", "log with JSON"),
        ("wide", "short columns"),
        ("toast", "large values"),
        ("small", "5,000 small tables"),
    ):
        part = Part(results, name)
        if not part.value:
            rows.append((title, None))
            continue
        cells = [size(part.value.get("text_bytes"))]
        for row in (
            part.ratio("", "pgstow first", "floor"),
            part.ratio("", "pgstow first", "pg_dump -Fc"),
            part.ratio("", "pgstow again", "floor"),
            part.share("", "pgstow again", "pgstow first"),
            part.share("", "pgstow first", "pg_dump -Fc", percent=False),
        ):
            cells.append(f"{row.shown()}: {row.raw}" if row.figure is not None else "-")
        rows.append((title, cells))
    return rows


SET_COLUMNS = [
    "data",
    "as text",
    "first / floor",
    "first / pg_dump -Fc",
    "again / floor",
    "again, new bytes",
    "repository / pg_dump -Fc",
]


def appended_row(results):
    what = "log, 1 % of rows appended: new bytes"
    return Part(results, "log").share(what, "pgstow after: 1 % of rows appended", "before the changes")
