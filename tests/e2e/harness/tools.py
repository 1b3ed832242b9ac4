"""PostgreSQL's tools as the program finds them, and scripts in their place."""

from pathlib import Path

# The settings that name the tools, as environment variables.
TOOL = {"pg_dump": "PGSTOW_PG_DUMP", "pg_restore": "PGSTOW_PG_RESTORE", "psql": "PGSTOW_PSQL"}


def script(folder, name, text):
    path = Path(folder) / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path
