"""The tables of docs/performance.md, between its markers, and the plots beside it: see bench.py.

Whatever stands outside of the markers is prose and stays.
"""

import textwrap

from goals import SET_COLUMNS, Part, appended_row, goal_rows, limit, other_rows, set_rows, size
from plots import BAD, GOOD, OTHER, bars


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def machine_text(results):
    machine, tpch = results["machine"], results["parts"].get("tpch", {})
    dates = {}
    for name, part in results["parts"].items():
        dates.setdefault(part["date"].split()[0], []).append(name)
    when = "; ".join(date if len(dates) == 1 else f"{date}: {', '.join(names)}" for date, names in sorted(dates.items()))
    return (
        f"{machine['cores']} cores ({machine['cpu']}), {machine['memory_bytes'] / 2**30:.0f} GiB, "
        f"PostgreSQL {machine['postgresql']}, TPC-H-like tables of {size(tpch.get('text_bytes'))} as text, "
        f"{tpch.get('runs', 1)} interleaved runs, medians (least..most). Measured on {when}."
    )


def plot_link(results, name, words):
    return f"\n\n![{words}](performance-{name}.svg)" if PLOTS[name](results) else ""


def goals_text(results):
    rows = [[row.what, row.shown(), f"{row.goal:g} {row.unit}".strip(), row.verdict(), row.raw] for row in goal_rows(results)]
    return table(["what", "measured", "goal", "", "raw"], rows) + plot_link(results, "goals", "Each goal")


def limit_text(results):
    bound = limit(results)
    if not bound:
        return "Not measured."
    text = (
        f"The limit of a first backup on {bound['cores']} cores: ({bound['server']:.2f} core-seconds of the server in the floor "
        f"+ {bound['ours']:.2f} of pgstow and pg_dump) / {bound['cores']} = {bound['seconds']:.2f} s. It took "
        f"{bound['first']:.2f} s, {bound['first'] / bound['seconds']:.2f} times that."
    )
    if bound["server_first"] is not None:
        text += f" During the backup itself the server took {bound['server_first']:.2f} core-seconds."
    return text + plot_link(results, "first", "A backup beside others")


def other_text(results):
    rows = [row for row in (*other_rows(results), appended_row(results)) if row.figure is not None]
    return table(["what", "measured", "raw"], [[row.what, row.shown(), row.raw] for row in rows])


def sets_text(results):
    rows = [[title, *cells] for title, cells in set_rows(results) if cells]
    return table(SET_COLUMNS, rows) + plot_link(results, "sizes", "Sizes")


REGIONS = {"machine": machine_text, "goals": goals_text, "limit": limit_text, "other": other_text, "sets": sets_text}


def replaced(text, region, content):
    """The text with what stands between the region's two markers replaced."""
    start, end = f"<!-- bench: {region} -->\n", f"<!-- bench: end of {region} -->\n"
    if text.count(start) != 1 or text.count(end) != 1 or text.index(start) > text.index(end):
        raise SystemExit(f"performance.md must have {start.strip()} and {end.strip()} once each, in this order")
    before, rest = text.split(start)
    wrap = textwrap.TextWrapper(120, break_long_words=False, break_on_hyphens=False)
    lines = [line if line.startswith("|") else wrap.fill(line) for line in content.split("\n")]
    return before + start + "\n" + "\n".join(lines) + "\n\n" + end + rest.split(end)[1]


def goals_plot(results):
    rows = []
    for row in goal_rows(results):
        if row.figure is not None:
            rows.append((row.what, row.figure / row.goal, f"{row.shown()} of {row.goal:g}", GOOD if row.met else BAD))
    return bars("Measured, as a part of its goal (left of the line: met)", rows, (1, "goal"), most=2)


def first_plot(results):
    tpch, bound = Part(results, "tpch"), limit(results)
    rows = [("limit on these cores", bound["seconds"], f"{bound['seconds']:.1f} s", OTHER)] if bound else []
    for label, name in (
        ("floor: psql's COPY on 2 connections", "floor"),
        ("pgstow", "pgstow first"),
        ("pgstow, encrypted", "pgstow first, encrypted"),
        ("pgstow again, unchanged", "pgstow again"),
        ("pg_dump -Fc -Z0 piped to zstd -1", "pg_dump -Fc -Z0 | zstd -1"),
        ("pg_dump -Fd -j2 -Z1", "pg_dump -Fd -j2 -Z1"),
        ("pg_dump -Fd -j2", "pg_dump -Fd -j2"),
        ("pg_dump -Fc -Z1", "pg_dump -Fc -Z1"),
        ("pg_dump -Fc -Z0 piped to restic", "pg_dump -Fc -Z0 | restic first"),
        ("the same again, unchanged", "pg_dump -Fc -Z0 | restic again"),
        ("pg_dump -Fc", "pg_dump -Fc"),
    ):
        seconds = tpch.median(name)
        if seconds is not None:
            rows.append((label, seconds, f"{seconds:.1f} s", GOOD if name.startswith("pgstow") else OTHER))
    return bars("A backup of the TPC-H-like tables, seconds", rows)


def sizes_plot(results):
    rows = []
    for name, title in (("tpch", "like TPC-H"), ("log", "log with JSON"), ("wide", "short columns"),
                        ("toast", "large values"), ("small", "5,000 small tables")):  # fmt: skip
        part = Part(results, name)
        row = part.share("", "pgstow first", "pg_dump -Fc", percent=False)
        if row.figure is not None:
            rows.append((title, row.figure, f"{row.figure:.2f}", GOOD))
    return bars("The repository after the first backup, as a part of pg_dump -Fc's file", rows, (1, "pg_dump -Fc"))


PLOTS = {"goals": goals_plot, "first": first_plot, "sizes": sizes_plot}


def write_docs(results, folder):
    page = folder / "performance.md"
    text = page.read_text()
    for region, content in REGIONS.items():
        text = replaced(text, region, content(results))
    page.write_text(text)
    for name, plot in PLOTS.items():
        file, drawn = folder / f"performance-{name}.svg", plot(results)
        if drawn:
            file.write_text(drawn)
        else:
            file.unlink(missing_ok=True)
