"""What was measured, as text: see bench.py."""

from goals import SET_COLUMNS, Part, appended_row, goal_rows, limit, other_rows, set_rows, size


def print_rows(rows):
    for row in rows:
        goal = f"{row.goal:g}" if row.goal is not None else ""
        print(f"{row.what:<58} {row.shown():>10} {goal:>6}  {row.verdict():<12} {row.raw}")


def print_limit(bound):
    print(f"\nlimit of a first backup: ({bound['server']:.2f} core-seconds of the server in the floor + {bound['ours']:.2f} of "
          f"pgstow) / {bound['cores']} cores = {bound['seconds']:.2f} s; it took {bound['first']:.2f} s, "
          f"{bound['first'] / bound['seconds']:.2f} times that")
    if bound["server_first"] is not None:
        print(f"  (the server took {bound['server_first']:.2f} core-seconds during the backup itself)")


def print_sets(results):
    print("\nby data")
    for title, cells in set_rows(results):
        print(f"  {title}" + ("" if cells else ": not measured"))
        for column, cell in zip(SET_COLUMNS[1:], cells or []):
            print(f"    {column:<28} {cell}")


def print_all(results):
    print("\nall measurements: seconds of each run; median of processor, and of the server's processor; bytes")
    for name in results["parts"]:
        part = Part(results, name)
        print(f"  {name}, {part.value['date']}, {part.value['runs']} runs, took {part.value['took']:.0f} s")
        for what, values in part["times"].items():
            listed = " ".join(f"{value:.2f}" for value in values)
            server = part.median(what, "server")
            print(f"    {what:<46} {listed:<22} {part.median(what, 'processor'):8.2f} "
                  f"{'-' if server is None else f'{server:.2f}':>8} {size(part['bytes'].get(what)):>10}")
        for what, problem in part["problems"].items():
            print(f"    {what:<46} failed: {problem.splitlines()[-1]}")


def print_report(results, measured):
    """Returns how many goals of the parts `measured` were missed, those that could not be measured among them."""
    machine = results["machine"]
    print(f"\nscale {results['scale']:g}, {machine['cpu']}, {machine['cores']} cores, PostgreSQL {machine['postgresql']}\n")
    print(f"{'what':<58} {'measured':>10} {'goal':>6}  {'':<12} raw: median (least..most)")
    rows = goal_rows(results)
    print_rows(rows)
    bound = limit(results)
    if bound:
        print_limit(bound)
    print("\nto be known")
    print_rows([row for row in (*other_rows(results), appended_row(results)) if row.figure is not None])
    print_sets(results)
    print_all(results)
    missed = sum(not row.met for row in rows if row.part in measured)
    print(f"\n{sum(row.met for row in rows)} goals met, {sum(row.verdict() == 'missed' for row in rows)} missed, "
          f"{sum(row.figure is None for row in rows)} not measured")
    return missed
