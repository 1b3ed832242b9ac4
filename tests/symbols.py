"""Only pgstow_ symbols leave the library: symbols.py LIBPGSTOW.so LIBPGSTOW.a"""
import subprocess
import sys


def exported(path, *flags):
    out = subprocess.run(["nm", "--defined-only", "--extern-only", *flags, path], check=True,
                         capture_output=True, text=True).stdout
    return {line.split()[2] for line in out.splitlines() if len(line.split()) == 3}


wrong, seen = [], 0
for path, flags in ((sys.argv[1], ["-D"]), (sys.argv[2], [])):
    names = exported(path, *flags)
    seen += len(names)
    wrong += [f"{path}: {name}" for name in sorted(names) if not name.startswith("pgstow_")]
    if "pgstow_backup" not in names:
        wrong.append(f"{path}: pgstow_backup is missing")
print("\n".join(wrong) if wrong else f"{seen} exported symbols, all of them pgstow_")
sys.exit(1 if wrong else 0)
