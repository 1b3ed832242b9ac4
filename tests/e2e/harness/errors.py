"""The program's error kinds and exit statuses, read from the rows that the program is built from."""

import re
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ERRORS_DEF = ROOT / "src" / "spec" / "errors.def"
ROW = re.compile(r"^ERROR\((\w+),\s*(\d+),", re.MULTILINE)


@lru_cache(maxsize=None)
def statuses():
    """Exit status by the kind's name."""
    rows = {name: int(status) for name, status in ROW.findall(ERRORS_DEF.read_text())}
    assert len(rows) >= 30, f"{ERRORS_DEF} was not understood: {rows}"
    return rows


def status_of(kind):
    """The exit status of a kind; "OK" is success."""
    return 0 if kind == "OK" else statuses()[kind]


def kind_of(status):
    """The kind that an exit status stands for, for messages."""
    if status == 0:
        return "OK"
    names = [name for name, value in statuses().items() if value == status]
    return names[0] if names else f"no kind (status {status})"
