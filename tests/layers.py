"""The house rules, held against the include lines: a folder uses only folders below it, folders on one
line never use each other, and a foreign library's header is included in its one home only."""
import pathlib
import re
import sys

FLOORS = [["base"], ["flow"], ["config", "crypto", "codec", "sheet"], ["net"], ["store"], ["pg", "repo", "state"],
          ["op"], ["serve"], ["cli", "lib"]]
HOMES = {
    r"libpq-fe\.h|libpq/.*|postgres_ext\.h": "pg",
    r"openssl/.*|sodium.*": "crypto",
    r"zstd.*|zlib\.h|lz4.*|zdict\.h": "codec",
    r"yaml\.h": "config",
    r"qrencode\.h|hpdf.*": "sheet",
    r"jansson.*": "base",
    r"curl/.*": "net",
    r"sqlite3\.h": "state",
    r"microhttpd\.h": "serve",
}
EVERYWHERE = {"spec", "sql"}

root = pathlib.Path(sys.argv[1])
floor = {room: i for i, rooms in enumerate(FLOORS) for room in rooms}
wrong, lines = [], 0
for path in sorted((root / "src").rglob("*.[ch]")):
    room = path.relative_to(root / "src").parts[0]
    if room not in floor:
        continue
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if not match:
            continue
        lines += 1
        name, where = match[2], f"{path.relative_to(root)}:{number}"
        for pattern, home in HOMES.items():
            if re.fullmatch(pattern, name) and room != home:
                wrong.append(f"{where}: <{name}> belongs to src/{home} alone")
        other = name.split("/")[0] if match[1] == '"' and "/" in name else room
        if other in EVERYWHERE or other == room:
            continue
        if other not in floor:
            wrong.append(f"{where}: src/{other} is no room of the house")
        elif floor[other] >= floor[room]:
            wrong.append(f"{where}: src/{room} may not use src/{other}")
    if path.suffix == ".c" or path.suffix == ".h":
        length = len(path.read_text().splitlines())
        if length > 600:
            wrong.append(f"{path.relative_to(root)}: {length} lines; over 600 it wants to be two")
print("\n".join(wrong) if wrong else f"{lines} include lines keep the house")
sys.exit(1 if wrong or lines == 0 else 0)
