"""The goals, and the table that holds the measurements against them: see bench.py."""

MB = 1e6


def median_of(result, name):
    return result["medians"].get(name)


def goals(result):
    """Rows: what, the measured figure (None: not measured), its unit, how it must compare, raw figures.

    A row without a comparison is there to be known.
    """
    t = lambda name: median_of(result, name)  # noqa: E731
    b = result["bytes"].get

    def ratio(what, ours, theirs, sign=None, limit=None):
        a, c = t(ours), t(theirs)
        raw = f"{seconds(result, ours)} / {seconds(result, theirs)}"
        return (what, a / c if a and c else None, "x", sign, limit, raw)

    def percent(what, part, whole, sign=None, limit=None):
        p, w = b(part), b(whole)
        raw = f"{size(p)} of {size(w)}"
        return (what, 100 * p / w if p is not None and w else None, "%", sign, limit, raw)

    stored, before = "pgstow first", "stored before changes"
    analyzed = None
    if t("pg_restore -j2") and t("vacuumdb --analyze-only -j2 after it"):
        analyzed = t("pg_restore -j2") + t("vacuumdb --analyze-only -j2 after it")
    ours = t("pgstow restore")
    peaks = result["peak_bytes"]
    rows = [
        ratio("first backup / floor", stored, "floor", "<=", 2.2),
        ratio("first backup / pg_dump -Fc -Z1", stored, "pg_dump -Fc -Z1", "<", 1),
        ratio("first backup / pg_dump | restic", stored, "pg_dump -Fc -Z0 | restic first", "<", 1),
        ratio("unchanged again / floor", "pgstow again, unchanged", "floor", "<=", 1.5),
        percent("unchanged again, new bytes", "pgstow again, unchanged", stored, "<", 0.5),
        percent("0.05 % of rows updated, new bytes", "new bytes after: 0.05 % of rows updated", before, "<", 6),
        percent("VACUUM FULL, new bytes", "new bytes after: VACUUM FULL, after these 0.5 %", before, "<", 10),
        ratio("restore / pg_restore -j2", "pgstow restore", "pg_restore -j2", "<=", 1),
        (
            "peak memory of pgstow",
            max(peaks.values()) / MB if peaks else None,
            "MB",
            "<",
            256,
            ", ".join(f"{verb} {size(peak)}" for verb, peak in peaks.items()),
        ),
        percent("0.5 % of rows updated, new bytes", "new bytes after: 0.5 % of rows updated", before),
        ratio("first backup / pg_dump -Fc", stored, "pg_dump -Fc"),
        ratio("first backup / pg_dump -Fd -j2", stored, "pg_dump -Fd -j2"),
        ratio("first backup / pg_dump -Fd -j2 -Z1", stored, "pg_dump -Fd -j2 -Z1"),
        ratio("first backup / pg_dump -Fc -Z0 | zstd -1", stored, "pg_dump -Fc -Z0 | zstd -1"),
        ratio("unchanged again / restic again", "pgstow again, unchanged", "pg_dump -Fc -Z0 | restic again"),
        ratio("verify data / floor", "pgstow verify --level data", "floor"),
        (
            "restore / pg_restore -j2 and ANALYZE",
            ours / analyzed if ours and analyzed else None,
            "x",
            None,
            None,
            f"{ours or 0:.2f} / {analyzed or 0:.2f} s (ours ends with ANALYZE)",
        ),
        percent("repository / pg_dump -Fc, size", stored, "pg_dump -Fc"),
        percent("repository / restic, size", stored, "pg_dump -Fc -Z0 | restic first"),
    ]
    return rows


def seconds(result, name):
    values = result["times"].get(name)
    if not values:
        return "-"
    middle = f"{median_of(result, name):.2f} s"
    return middle if len(values) == 1 else f"{middle} ({min(values):.2f}..{max(values):.2f})"


def size(count):
    if count is None:
        return "-"
    return f"{count / MB:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def print_report(result):
    """Returns how many goals were missed, those that could not be measured among them."""
    missed = 0
    print(f"\n{result['text_bytes'] / 1e6:.0f} MB as text, {result['runs']} runs, {result['machine']['cpu']},"
          f" {result['machine']['cores']} cores, PostgreSQL {result['machine']['postgresql']}\n")
    print(f"{'what':<42} {'measured':>10} {'goal':>9}         raw: median (least..most)")
    for what, figure, unit, sign, limit, raw in goals(result):
        goal = f"{sign} {limit:g}" if sign else ""
        verdict = ""
        if sign:
            met = figure is not None and (figure < limit or (sign == "<=" and figure == limit))
            verdict = "pass" if met else "MISSED"
            missed += not met
        shown = f"{figure:.2f} {unit}" if figure is not None else "-"
        print(f"{what:<42} {shown:>10} {goal:>9}  {verdict:<6} {raw}")
    print("\nall measurements, seconds and bytes")
    for name, values in result["times"].items():
        listed = " ".join(f"{value:.2f}" for value in values)
        print(f"  {name:<52} {listed:<28} {size(result['bytes'].get(name)):>10}")
    for name, problem in result["problems"].items():
        print(f"  {name:<52} failed: {problem.splitlines()[-1]}")
    if missed:
        print(f"\n{missed} goals missed")
    return missed
